// Looks at a site of mdBook in a browser: `site.mjs CHROMIUM FOLDER-OF-PICTURES SITE [PAGE…]`. Each page at 390 and 1280 pixels,
// light and dark: axe finds nothing in the text, nothing is wider than the window, no request leaves, every picture is there.
// Prints what is wrong; exit code 1 if anything is. Of each view a picture is kept.
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";

// Where the tools are, not where this file is.
const require = createRequire(resolve(process.cwd(), "package.json"));
const puppeteer = require("puppeteer-core");
const axe = require.resolve("axe-core/axe.min.js");

const [executablePath, pictures, site, ...named] = process.argv.slice(2);
const all = readdirSync(site).filter((it) => it.endsWith(".html") && !["404.html", "toc.html"].includes(it));
const pages = named.length > 0 ? named : all.map((it) => basename(it, ".html"));
const problems = [];
const browser = await puppeteer.launch({ executablePath, headless: true, args: ["--no-sandbox", "--disable-gpu"] });
for (const scheme of ["light", "dark"]) {
  const page = await browser.newPage();
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  let view = "";
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) problems.push(`${view}: it asks for ${request.url()}`);
  });
  page.on("requestfailed", (request) => problems.push(`${view}: not there: ${request.url()}`));
  page.on("pageerror", (error) => problems.push(`${view}: ${error.message}`));
  for (const name of pages) {
    for (const width of [390, 1280]) {
      view = `${name} ${width} ${scheme}`;
      await page.setViewport({ width, height: 900 });
      await page.goto(pathToFileURL(resolve(site, `${name}.html`)).href, { waitUntil: "load" });
      const seen = await page.evaluate(() => {
        const main = document.querySelector("main");
        // What scrolls by itself may hold more than the page is wide.
        const edge = main.getBoundingClientRect().right + 1;
        const wide = [...main.children].filter(
          (it) => it.getBoundingClientRect().right > edge || (getComputedStyle(it).overflowX === "visible" && it.scrollWidth > it.clientWidth + 1),
        );
        return {
          beyond: document.documentElement.scrollWidth - window.innerWidth,
          wide: wide.map((it) => it.outerHTML.slice(0, 120)),
          empty: [...document.images].filter((it) => it.naturalWidth === 0).map((it) => it.src),
        };
      });
      if (seen.beyond > 0) problems.push(`${view}: ${seen.beyond} pixels are beyond the window`);
      for (const it of seen.wide) problems.push(`${view}: wider than the page: ${it}`);
      for (const it of seen.empty) problems.push(`${view}: no picture: ${it}`);
      await page.screenshot({ path: `${pictures}/${name}-${width}-${scheme}.png` });
      // What is around the text is mdBook's. The list of errors is long, and made of what the other pages are made of. The width
      // changes nothing of what axe looks at.
      if (name === "errors" || width === 390) continue;
      await page.addScriptTag({ path: axe });
      const { violations } = await page.evaluate(() => {
        // The browser itself lets the keyboard reach what scrolls; the corner of a table is empty.
        const rules = { "scrollable-region-focusable": { enabled: false }, "empty-table-header": { enabled: false } };
        // A page from a file may not fetch its own style again.
        return globalThis.axe.run("main", { rules, preload: false });
      });
      for (const it of violations) {
        problems.push(`${view}: ${it.id}: ${it.help}: ${it.nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(" | ")}`);
      }
    }
  }
  await page.close();
}
await browser.close();
console.log(problems.join("\n"));
process.exit(problems.length === 0 ? 0 : 1);
