// The nonce by which the server lets styles in that are made here. The server writes a new one into
// the page with each load; browsers hide it from the attribute, and keep it in the property.
const holder = typeof document === 'undefined' ? null : document.querySelector<HTMLElement>('meta[property="csp-nonce"], meta[name="csp-nonce"], style[nonce], script[nonce]');

export const nonce: string = holder?.nonce || holder?.getAttribute('content') || '';
