// Colours of Meta.color: names of Semantic UI mean Semantic's shades, everything else is what CSS says.
const semantic: Record<string, string> = {
  primary: '#2185d0', secondary: '#1b1c1d', red: '#db2828', orange: '#f2711c', yellow: '#fbbd08', olive: '#b5cc18', green: '#21ba45',
  teal: '#00b5ad', blue: '#2185d0', violet: '#6435c9', purple: '#a333c8', pink: '#e03997', brown: '#a5673f', grey: '#767676',
  gray: '#767676', black: '#1b1c1d',
};

// They mean something else wherever they stand, or nothing that can be seen.
const unusable = /^(inherit|initial|unset|revert|revert-layer|transparent|currentcolor)$|var\(|url\(/i;

/**
 * The CSS colour that Meta.color names; undefined for what is none: the text colour serves then.
 * It may be too dark or too light for the theme: `visible` in Icon.module.css moves its lightness, not its hue.
 */
export function cssColour(name: string | undefined, supports = (c: string) => CSS.supports('color', c)): string | undefined {
  const value = name?.trim().toLowerCase();
  if (!value) return undefined;
  if (Object.hasOwn(semantic, value)) return semantic[value];
  return !unusable.test(value) && supports(value) ? value : undefined;
}
