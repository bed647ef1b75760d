// Judges pages in a browser: `page.mjs CHROMIUM FOLDER-OF-PICTURES FILE…`. Each at 390 and 1280 pixels, light and dark: axe finds
// nothing, nothing is wider than the window, no request leaves, no script is in it. Prints what is wrong; exit code 1 if
// anything is. Of each view a picture is kept, and of each file how it is printed.
import { createRequire } from "node:module";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";

// Where the tools are, not where this file is.
const require = createRequire(resolve(process.cwd(), "package.json"));
const puppeteer = require("puppeteer-core");
const axe = require.resolve("axe-core/axe.min.js");

const [executablePath, pictures, ...files] = process.argv.slice(2);
const problems = [];
const browser = await puppeteer.launch({ executablePath, headless: true, args: ["--no-sandbox", "--disable-gpu"] });
for (const file of files) {
  const name = basename(file, ".html");
  for (const width of [390, 1280]) {
    for (const scheme of ["light", "dark"]) {
      const view = `${name} ${width} ${scheme}`;
      const page = await browser.newPage();
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      page.on("request", (request) => {
        if (!request.url().startsWith("file://")) problems.push(`${view}: it asks for ${request.url()}`);
      });
      page.on("console", (message) => problems.push(`${view}: ${message.text()}`));
      await page.goto(pathToFileURL(resolve(file)).href, { waitUntil: "load" });
      await page.screenshot({ path: `${pictures}/${name}-${width}-${scheme}.png`, fullPage: true });
      const seen = await page.evaluate(() => ({
        wide: document.documentElement.scrollWidth - window.innerWidth,
        styled: getComputedStyle(document.body).maxWidth !== "none",
        scripts: document.scripts.length,
      }));
      if (seen.wide > 0) problems.push(`${view}: ${seen.wide} pixels are beyond the window`);
      if (!seen.styled) problems.push(`${view}: the page's own policy refuses its style`);
      if (seen.scripts > 0) problems.push(`${view}: there are scripts in it`);
      if (width === 1280 && scheme === "light") await page.pdf({ path: `${pictures}/${name}.pdf`, preferCSSPageSize: true });
      // The page's policy holds for axe as well: it is let in where nothing else is looked at any more.
      const judged = await browser.newPage();
      await judged.setBypassCSP(true);
      await judged.setViewport({ width, height: 900 });
      await judged.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await judged.goto(pathToFileURL(resolve(file)).href, { waitUntil: "load" });
      await judged.addScriptTag({ path: axe });
      const { violations } = await judged.evaluate(() => globalThis.axe.run());
      for (const it of violations) {
        problems.push(`${view}: ${it.id}: ${it.help}: ${it.nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(" | ")}`);
      }
      await page.close();
      await judged.close();
    }
  }
}
await browser.close();
console.log(problems.join("\n"));
process.exit(problems.length === 0 ? 0 : 1);
