// The nonce by which the server lets styles in that are made here. The server writes a new one into
// the page with each load; browsers hide it from the attribute, and keep it in the property.
const holder = typeof document === 'undefined' ? null : document.querySelector<HTMLElement>('meta[property="csp-nonce"]');

export const nonce: string = holder?.nonce ?? '';

// Where libraries below Mantine look for it.
(globalThis as { __webpack_nonce__?: string }).__webpack_nonce__ = nonce;
