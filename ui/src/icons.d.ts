// made by ui/icons/plugin.ts
declare module 'virtual:icons' {
  export const dir: string;
}
declare module 'virtual:icon-table' {
  export const table: string;
}
