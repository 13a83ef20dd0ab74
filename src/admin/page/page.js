"use strict";
// Asks for the changing part of the page while somebody looks at it, and puts in what differs. What the server writes has no
// markup from outside, and the policy of the page runs nothing that comes with it.
(() => {
  const INTERVAL = 2000, LONGEST = 30000, PATIENCE = 10000;
  const live = document.getElementById("live"), said = document.getElementById("said");
  let tag = live.dataset.tag, timer, asking, typed;
  let failures = 0, gone = null, next = 0;

  const header = () => live.querySelector("header");
  let told = header().dataset.say;

  // Makes `old` what `wanted` is, and keeps what the reader does: open details, a text being typed, the focus.
  function become(old, wanted) {
    if (old.nodeType !== wanted.nodeType || old.nodeName !== wanted.nodeName) {
      old.replaceWith(wanted.cloneNode(true));
      return;
    }
    if (old.nodeType === Node.TEXT_NODE) {
      if (old.data !== wanted.data) old.data = wanted.data;
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE || old.hasAttribute("data-keep")) return;
    const other = old.dataset.key !== wanted.dataset.key;
    for (const { name } of [...old.attributes])
      if (!wanted.hasAttribute(name) && (name !== "open" || other)) old.removeAttribute(name);
    for (const { name, value } of wanted.attributes)
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    if (other) for (const open of old.querySelectorAll("details[open]")) open.open = false;
    const from = [...old.childNodes], to = [...wanted.childNodes];
    to.forEach((child, place) => {
      if (place < from.length) become(from[place], child);
      else old.append(child.cloneNode(true));
    });
    for (const child of from.slice(to.length)) child.remove();
    if ((old.nodeName === "INPUT" || old.nodeName === "SELECT") && old !== document.activeElement) {
      const value = old.nodeName === "INPUT" ? wanted.getAttribute("value") : wanted.value;
      if (old.value !== value) old.value = value ?? "";
    }
  }

  function ago(at) {
    const seconds = Math.round((Date.now() - Date.parse(at)) / 1000);
    if (Number.isNaN(seconds)) return null;
    if (seconds < 2) return "just now";
    for (const [unit, size] of [["day", 86400], ["h", 3600], ["min", 60]])
      if (seconds >= 2 * size) {
        const count = Math.floor(seconds / size);
        return `${count} ${unit}${unit === "day" ? "s" : ""} ago`;
      }
    return `${seconds} s ago`;
  }

  function times() {
    for (const time of live.querySelectorAll("time")) {
      const text = ago(time.dateTime);
      if (text === null) continue;
      if (!time.title) time.title = time.textContent;
      if (time.textContent !== text) time.textContent = text;
    }
  }

  function say(text) {
    if (said.textContent !== text) said.textContent = text;
  }

  function link() {
    const at = document.getElementById("link");
    let text = "live", state = "live";
    if (document.hidden) [text, state] = ["paused", "paused"];
    else if (gone) {
      const wait = Math.max(0, Math.ceil((next - Date.now()) / 1000));
      text = `kproxy does not answer since ${gone.toLocaleTimeString()}; ${asking ? "asking now" : `next attempt in ${wait} s`}`;
      state = "gone";
    }
    if (at.textContent !== text) at.textContent = text;
    at.dataset.state = document.body.dataset.state = state;
  }

  function show(text, fresh) {
    const parsed = new DOMParser().parseFromString(text, "text/html");
    const wanted = document.createElement("div");
    wanted.id = "live";
    wanted.dataset.tag = tag;
    wanted.append(...parsed.body.childNodes);
    const focused = document.activeElement;
    become(live, wanted);
    if (focused !== document.body && !document.contains(focused)) document.getElementById("clusters").focus();
    document.title = header().dataset.title;
    const sentence = header().dataset.say;
    if (fresh) say(live.querySelector(".pages p").textContent);
    else if (sentence !== told) say(sentence);
    told = sentence;
  }

  // `fresh`: the reader has asked for another view.
  async function ask(fresh) {
    clearTimeout(timer);
    asking?.abort();
    if (document.hidden) return;
    const own = asking = new AbortController();
    const limit = setTimeout(() => own.abort(), PATIENCE);
    try {
      const headers = { Accept: "text/html" };
      if (!fresh) headers["If-None-Match"] = tag;
      const answer = await fetch("/overview" + location.search, { headers, signal: own.signal, cache: "no-store" });
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(String(answer.status));
        const text = await answer.text();
        if (asking !== own) return;
        tag = answer.headers.get("ETag") ?? "";
        show(text, fresh);
      }
      if (gone) say("kproxy answers again. " + told);
      failures = 0;
      gone = null;
    } catch {
      // Another question has taken the place of this one, or the page is hidden.
      if (asking !== own || document.hidden) return;
      failures += 1;
      if (!gone) {
        gone = new Date();
        say("kproxy does not answer.");
      }
    } finally {
      clearTimeout(limit);
    }
    if (asking !== own) return;
    asking = null;
    const wait = Math.min(INTERVAL * 2 ** failures, LONGEST);
    next = Date.now() + wait;
    timer = setTimeout(ask, wait);
    times();
    link();
  }

  function go(address, replaces) {
    if (replaces) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    ask(true);
  }

  function chosen(form) {
    const fields = [...new FormData(form)].filter(([name, value]) => value && !(name === "sort" && value === "problems"));
    const query = new URLSearchParams(fields).toString();
    return query ? "/?" + query : "/";
  }

  live.addEventListener("click", (event) => {
    const pressed = event.target.closest("a[data-view]");
    if (!pressed || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(pressed.getAttribute("href"), false);
  });
  live.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typed);
    go(chosen(event.target), false);
  });
  live.addEventListener("input", (event) => {
    clearTimeout(typed);
    typed = setTimeout(() => go(chosen(event.target.form), true), 250);
  });
  addEventListener("popstate", () => ask(true));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(timer);
      asking?.abort();
      asking = null;
    } else ask(false);
    link();
  });
  setInterval(() => {
    if (document.hidden) return;
    times();
    link();
  }, 1000);
  times();
  link();
  timer = setTimeout(ask, INTERVAL);
})();
