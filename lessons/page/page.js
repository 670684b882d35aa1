// A lesson's right side follows its text; a page of code lights what its address names.
"use strict";

const find = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];

// ---- a page of code, by itself or in a lesson's frame

function file() {
  const framed = window !== parent;
  let lit = [];

  function light(name, behavior) {
    lit.forEach((line) => line.classList.remove("lit", "part"));
    const lines = /^L(\d+)(?:-(\d+))?$/.exec(name);
    const symbol = document.getElementById(name);
    let first = 0, last = 0;
    if (lines) [first, last] = [Number(lines[1]), Number(lines[2] ?? lines[1])];
    else if (symbol?.dataset.last) {
      [first, last] = [Number(symbol.parentElement.id.slice(1)), Number(symbol.dataset.last)];
    }
    lit = [];
    for (let i = first; i <= last; i++) lit.push(document.getElementById(`L${i}`));
    lit = lit.filter(Boolean);
    lit.forEach((line) => line.classList.add("lit"));
    if (!lines) lit.forEach((line) => line.classList.add("part"));
    document.body.dataset.lit = name;
    if (!lit.length) return;
    const top = lit[0].getBoundingClientRect().top + scrollY;
    const height = lit.at(-1).getBoundingClientRect().bottom + scrollY - top;
    const above = Math.max((innerHeight - height) / 2, innerHeight / 8);
    scrollTo({ top: top - above, behavior });
  }

  const named = () => decodeURIComponent(location.hash.slice(1));
  light(named(), "instant");
  addEventListener("hashchange", () => light(named(), "auto"));
  if (!framed) return;
  addEventListener("message", (event) => {
    if (event.source === parent) light(event.data.light, event.data.behavior);
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") parent.postMessage({ close: true }, "*");
  });
  addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    parent.postMessage({ show: link.href }, "*");
  });
}

// ---- a lesson

function lesson() {
  const menu = find("details.contents");
  addEventListener("click", (event) => {
    if (menu && !menu.contains(event.target)) menu.open = false;
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu?.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
    event.stopImmediatePropagation(); // and leave the code open
  });
  all("figure.python, figure.sh").forEach(addCopy);
  if (find("#code")) beside(find("#code"));
}

// ---- the code beside a lesson

function beside(pane) {
  const root = document.documentElement, toggle = find(".toggle"), where = pane.querySelector(".where");
  const site = new URL(document.body.dataset.home, location.href).href.replace(/index\.html$/, "");
  const frames = new Map(); // one for each file, so that going back to it takes no time
  const visible = () => getComputedStyle(pane).display !== "none";
  let current = where.href, opener = null;
  if (visible()) show(current);

  function name(url) {
    const path = url.split("#")[0].replace(site, "").replace(/(\/index)?\.html$/, "");
    where.textContent = path;
    where.href = url;
  }

  // A frame is told what to light. If it went to an address with a `#`, the lesson would move too.
  function show(url) {
    const [path, anchor = ""] = url.split("#");
    current = url;
    name(url);
    const frame = frames.get(path) ?? document.createElement("iframe");
    const light = (behavior) =>
      frame.contentWindow.postMessage({ light: decodeURIComponent(anchor), behavior }, "*");
    frame.onload = () => {
      frame.loaded = true;
      light("instant");
    };
    if (!frames.has(path)) {
      frame.title = `Code: ${where.textContent}`;
      frame.src = path;
      frames.set(path, frame);
      pane.querySelector(".frames").append(frame);
    }
    for (const other of frames.values()) other.hidden = other !== frame;
    if (frame.loaded) light("auto");
  }

  function open(url, from) {
    opener = from ?? document.activeElement;
    show(url);
    if (visible()) return;
    root.dataset.code = "open";
    update();
    pane.querySelector(".close").focus({ preventScroll: true });
  }

  function close() {
    if (!visible()) return;
    root.dataset.code = "closed";
    update();
    (opener?.isConnected ? opener : toggle).focus({ preventScroll: true });
  }

  function update() {
    toggle.hidden = visible();
  }

  toggle.addEventListener("click", () => open(current, toggle));
  pane.querySelector(".close").addEventListener("click", close);
  addEventListener("resize", update);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  update();

  // As one scrolls: the last quotation that has come into the upper part of the window.
  const quotes = all("figure.quote");
  const address = (quote) => quote.querySelector("figcaption a").href;
  let active = null;

  function follow() {
    const seen = quotes.filter((quote) => !quote.closest("details:not([open])"));
    const passed = seen.filter((quote) => quote.getBoundingClientRect().top < innerHeight * 0.6);
    const quote = passed.at(-1) ?? seen[0];
    if (!quote || quote === active) return;
    active?.classList.remove("active");
    active = quote;
    active.classList.add("active");
    if (visible()) show(address(quote));
    else current = address(quote);
  }

  let asked = false;
  addEventListener("scroll", () => {
    if (!asked) requestAnimationFrame(() => { asked = false; follow(); });
    asked = true;
  }, { passive: true });
  all("details").forEach((fold) => fold.addEventListener("toggle", follow));
  follow();

  // Pointing at a formula, or at a piece of code below one, lights its line.
  let waiting = 0, lit = [];

  function light(link) {
    lit.forEach((line) => line.classList.remove("lit"));
    lit = [];
    const block = /^#(block\d+-L)(\d+)(?:-(\d+))?$/.exec(link.getAttribute("href"));
    if (block) {
      for (let i = Number(block[2]); i <= Number(block[3] ?? block[2]); i++) {
        const line = document.getElementById(block[1] + i);
        if (line) lit.push(line);
      }
      lit.forEach((line) => line.classList.add("lit"));
    } else if (visible()) show(link.href);
  }

  function leave() {
    lit.forEach((line) => line.classList.remove("lit"));
    if (active && visible()) show(address(active));
  }

  for (const link of all("a.formula, .computes > a")) {
    const later = (action, time) => { clearTimeout(waiting); waiting = setTimeout(action, time); };
    link.addEventListener("pointerenter", () => later(() => light(link), 60));
    link.addEventListener("pointerleave", () => later(leave, 300));
    link.addEventListener("focus", () => later(() => light(link), 0));
    link.addEventListener("click", (event) => {
      light(link);
      if (!link.target) {
        event.preventDefault();
        lit[0]?.scrollIntoView({ block: "center" });
      }
    });
  }

  addEventListener("click", (event) => {
    const link = event.target.closest("a[target=code]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    clearTimeout(waiting);
    open(link.href, link);
  });
  addEventListener("message", (event) => {
    if (event.data?.close) close();
    else if (String(event.data?.show).startsWith(site)) show(event.data.show);
  });
}

function addCopy(figure) {
  if (!navigator.clipboard) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(figure.querySelector("pre").textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  figure.append(button);
}

// ---- the first page: what each part of the method does

function parts() {
  const { folder, clips } = JSON.parse(find("#films").textContent), form = find(".parts form");
  const chosen = (name) => form.querySelector(`input[name="${name}"]:checked`);
  let asked = 0;

  async function choose() {
    const number = ++asked, [clip, prompt] = chosen("prompt").value.split(" ").map(Number);
    const left = chosen("leave_out"), { file, caption, prompts, edits } = clips[clip];
    const edit = edits[`${prompt} ${left.value} ${chosen("guidance").value}`];
    const without = left === form.leave_out[0] ? "" : `, without ${left.dataset.part}`;
    const images = [`${folder}/${file}`, `${folder}/${edit}`].map((src) => {
      const image = new Image();
      image.src = src;
      return image;
    });
    await Promise.all(images.map((image) => image.decode()));
    if (number !== asked) return; // something else was chosen meanwhile
    const said = prompts[prompt - 1] + without;
    Object.assign(find("#source"), { src: images[0].src, alt: caption });
    Object.assign(find("#edit"), { src: images[1].src, alt: said });
    find("#captioned").textContent = `the clip: ${caption}`;
    find("#said").textContent = said;
  }

  form.hidden = false;
  form.addEventListener("change", choose);
  form.addEventListener("submit", (event) => event.preventDefault());
  choose(); // a browser may remember what was chosen before
}

if (document.body.classList.contains("file")) file();
else lesson();
if (find("#films")) parts();
