// How Vite serves and builds the page. A project that installed the package says `fluxion/plugin`; here in the checkout its doors are sources.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import fluxion from '../../compiler/build/plugin/index.ts';

export default defineConfig({
  base: './',
  resolve: { alias: { 'fluxion/runtime': fileURLToPath(new URL('../../runtime/index.ts', import.meta.url)) } },
  plugins: [fluxion.vite()],
  build: { modulePreload: { polyfill: false } },
});
