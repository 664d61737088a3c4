// A headless Chromium for tests.
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { chromiumFolder } from '../chromium-package.ts';

const flags = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--no-first-run'];

export const openBrowser = async (): Promise<Browser> =>
  chromium.launch({ executablePath: join(await chromiumFolder(), 'chromium'), args: flags, headless: true });
