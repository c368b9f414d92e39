// What a person sees who connects an account, in a real browser: the example application of
// examples/openresty, the provider's page, and what is shown when it does not work out.
//
//   node connect.js URL EXPIRING_URL PICTURES
//
// URL and EXPIRING_URL are two `demo`s; in the second one a user has four seconds to agree.
// PICTURES is a directory for a screenshot of each page.  A line for each case, the totals last.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [url, expiringUrl, pictures] = process.argv.slice(2);
const PATIENCE = 15000; // ms for anything that a page is waited for
const DESKTOP = { width: 1024, height: 768 };
const PHONE = { width: 375, height: 667 };

let browser;

// A person with cookies of their own, and the page they look at.
async function person(viewport = DESKTOP, colorScheme = "light") {
  const context = await browser.newContext({ viewport, colorScheme });
  context.setDefaultTimeout(PATIENCE);
  return { context, page: await context.newPage() };
}

async function picture(page, name) {
  await page.screenshot({ path: path.join(pictures, name + ".png"), fullPage: true });
}

const heading = (page) => page.locator("h1").innerText();
const connectLink = (page) => page.getByRole("link", { name: /^Connect .*HubSpot/ });

async function toProvider(page, start = url) {
  await page.goto(start);
  await connectLink(page).click();
  await page.getByRole("button", { name: "Approve" }).waitFor();
}

async function approve(page) {
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("heading", { name: "Your accounts" }).waitFor();
}

async function accounts(page) {
  await page.goto(url);
  return page.locator("section").count();
}

// Nothing of what the provider sent is left in the address.
function isClean(page) {
  assert.equal(page.url(), url);
}

async function noSideways(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(content <= window, `the page is ${content} wide and the window ${window}`);
}

// Runs in the page: the texts whose contrast to what is behind them is less than 4.5 to 1.
function paleTexts() {
  const canvas = document.createElement("i");
  canvas.style.background = "Canvas";
  document.body.append(canvas);
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const over = ([r, g, b, alpha = 1], below) => [r, g, b].map((c, i) => c * alpha + below[i] * (1 - alpha));
  const base = channels(getComputedStyle(canvas).backgroundColor).slice(0, 3);
  canvas.remove();
  const luminance = (color) => {
    const [r, g, b] = color.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const chain = (element) => (element ? [...chain(element.parentElement), element] : []);
  const pale = [];
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join("").trim();
    if (text !== "") {
      const elements = chain(element).map((each) => getComputedStyle(each));
      const behind = elements.reduce((below, style) => over(channels(style.backgroundColor), below), base);
      const opacity = elements.reduce((product, style) => product * Number(style.opacity), 1);
      const [r, g, b, alpha = 1] = channels(elements[elements.length - 1].color);
      const [low, high] = [luminance(over([r, g, b, alpha * opacity], behind)), luminance(behind)].sort((x, y) => x - y);
      if ((high + 0.05) / (low + 0.05) < 4.5) {
        pale.push(text);
      }
    }
  }
  return pale;
}

// What every page has to offer to those who do not see it, or not well.
async function isAccessible(page) {
  assert.deepEqual(await page.evaluate(paleTexts), [], "every text stands out from its background");
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.notEqual(await page.title(), "");
  assert.equal(await page.locator("main").count(), 1);
  assert.equal(await page.locator("h1").count(), 1);
  assert.equal(await page.locator("img:not([alt]), a:not([href])").count(), 0);
}

const cases = {
  async "approves, and sees the account with its contacts at a clean address"() {
    const { page } = await person();
    const requests = [];
    page.on("request", (request) => requests.push(new URL(request.url()).hostname));
    const before = await accounts(page);
    await picture(page, "1-before");
    await isAccessible(page);
    await toProvider(page);
    await picture(page, "2-provider");
    await isAccessible(page);
    await approve(page);
    isClean(page);
    await picture(page, "3-connected");
    assert.equal(await page.locator("section").count(), before + 1);
    const contacts = page.locator("section").last().locator("li");
    assert.equal(await contacts.count(), 5);
    assert.match(await contacts.first().innerText(), /@/);
    await isAccessible(page);
    assert.deepEqual([...new Set(requests)], ["127.0.0.1"], "nothing is loaded from elsewhere");
  },

  async "says no, understands what that means, and starts again"() {
    const { page } = await person();
    const before = await accounts(page);
    await toProvider(page);
    await page.getByRole("button", { name: "Deny" }).click();
    assert.equal(await heading(page), "Nothing was connected");
    await picture(page, "4-denied");
    await isAccessible(page);
    await page.getByRole("link", { name: "Start again" }).click();
    await approve(page);
    assert.equal(await accounts(page), before + 1);
  },

  async "goes back after connecting: nothing is connected twice, and forward works"() {
    const { page } = await person();
    const before = await accounts(page);
    await toProvider(page);
    await approve(page);
    assert.equal(await page.locator("section").count(), before + 1);
    await page.goBack();
    await page.getByRole("button", { name: "Approve" }).waitFor();
    await page.goForward();
    await page.getByRole("heading", { name: "Your accounts" }).waitFor();
    assert.equal(await accounts(page), before + 1);
  },

  async "goes back and approves once more: a second agreement is a second account, or a page that says why not"() {
    const { page } = await person();
    const before = await accounts(page);
    await toProvider(page);
    await approve(page);
    await page.goBack();
    await page.getByRole("button", { name: "Approve" }).click();
    await page.locator("h1").waitFor();
    await picture(page, "5-back-and-again");
    await isAccessible(page);
    assert.equal(await accounts(page), before + 1, "one flow makes one instance");
  },

  async "has two tabs open, and both connect"() {
    const { context, page } = await person();
    const before = await accounts(page);
    const other = await context.newPage();
    await toProvider(page);
    await toProvider(other);
    await approve(page);
    await approve(other);
    assert.equal(await accounts(page), before + 2);
  },

  async "opens the provider's answer in another browser, and is told to begin there"() {
    const { page } = await person();
    const stranger = (await person()).page;
    const before = await accounts(page);
    await toProvider(page);
    const agreed = await fetch(page.url(), {
      method: "POST", body: new URLSearchParams({ decision: "approve" }), redirect: "manual",
    });
    const answer = agreed.headers.get("location");
    await stranger.goto(answer);
    assert.equal(await heading(stranger), "Please finish where you began");
    await picture(stranger, "6-other-browser");
    assert.equal(await accounts(page), before);
  },

  async "takes too long, is told so, and starts again"() {
    const { page } = await person();
    await toProvider(page, expiringUrl);
    await page.waitForTimeout(4500);
    await page.getByRole("button", { name: "Approve" }).click();
    await page.locator("h1").waitFor();
    assert.equal(await heading(page), "This took too long");
    await picture(page, "7-expired");
    await isAccessible(page);
    await page.getByRole("link", { name: "Start again" }).click();
    await approve(page);
    assert.equal(await page.locator("section").count(), 1);
  },

  async "uses the keyboard alone, and sees where it is"() {
    const { page } = await person();
    await page.goto(url);
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => [document.activeElement.textContent, getComputedStyle(document.activeElement).outlineStyle]);
    assert.match(focused[0], /^Connect/);
    assert.equal(focused[1], "solid");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Approve" }).waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Approve");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Your accounts" }).waitFor();
    isClean(page);
  },

  async "sits in the dark: every page can be read"() {
    const { page } = await person(DESKTOP, "dark");
    const isDark = () => page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches);
    await page.goto(url);
    assert.ok(await isDark());
    await picture(page, "11-dark-accounts");
    await isAccessible(page);
    await toProvider(page);
    await picture(page, "12-dark-provider");
    await isAccessible(page);
    await page.getByRole("button", { name: "Deny" }).click();
    await picture(page, "13-dark-denied");
    await isAccessible(page);
  },

  async "holds a phone: no page is wider than it, and what is to be touched is large enough"() {
    const { page } = await person(PHONE);
    await page.goto(url);
    await noSideways(page);
    await picture(page, "8-phone-accounts");
    const box = await connectLink(page).boundingBox();
    assert.ok(box.height >= 44, `the button is ${box.height} high`);
    await connectLink(page).click();
    const approveButton = page.getByRole("button", { name: "Approve" });
    await approveButton.waitFor();
    await noSideways(page);
    await picture(page, "9-phone-provider");
    assert.ok((await approveButton.boundingBox()).height >= 44);
    await page.getByRole("button", { name: "Deny" }).click();
    await noSideways(page);
    await picture(page, "10-phone-denied");
    assert.ok((await page.getByRole("link", { name: "Start again" }).boundingBox()).height >= 44);
  },
};

async function main() {
  browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
  let passed = 0;
  let failed = 0;
  try {
    for (const [sentence, run] of Object.entries(cases)) {
      try {
        await run();
        passed += 1;
        console.log("ok a person " + sentence);
      } catch (problem) {
        failed += 1;
        console.log("not ok a person " + sentence);
        console.log(String(problem.stack || problem).replace(/^/gm, "      "));
      }
      await Promise.all(browser.contexts().map((context) => context.close()));
    }
  } finally {
    await browser.close();
  }
  console.log(`\n${passed} passed, ${failed} failed, 0 skipped`);
  process.exitCode = failed === 0 ? 0 : 1;
}

main().catch((problem) => {
  console.error(problem);
  process.exitCode = 1;
});
