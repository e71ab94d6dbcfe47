"use strict";
(() => {
  const KEY = "mt-serve-history";
  const MOST_KEPT = 20;
  const MOST_STORED = 200000; // characters of one answer; a longer one is translated again
  const at = (id) => document.getElementById(id);
  const form = at("form");
  const text = at("text");
  const results = at("results");
  const most = Number(text.dataset.max);
  let running = null;

  function make(tag, className, ...content) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...content);
    return element;
  }

  const length = (value) => Array.from(value).length;
  const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

  function count() {
    const used = length(text.value);
    at("count").textContent = `${used.toLocaleString("en")} of ${most.toLocaleString("en")} characters`;
    at("count").classList.toggle("over", used > most);
  }

  // The texts

  // Positions count code points, as Python does; a string's own count units of UTF-16.
  function withMarks(value, marks) {
    const letters = Array.from(value);
    const parts = [];
    let position = 0;
    for (const { start, end, className, title } of [...marks].sort((a, b) => a.start - b.start)) {
      if (start < position) continue;
      const mark = make(className ? "span" : "mark", className, letters.slice(start, end).join(""));
      mark.title = title;
      parts.push(letters.slice(position, start).join(""), mark);
      position = end;
    }
    return [...parts, letters.slice(position).join("")];
  }

  function written(value, side, marks) {
    const line = make("p", "written", ...withMarks(value, marks));
    line.lang = results.dataset[`${side}Lang`];
    line.dir = results.dataset[`${side}Dir`];
    return line;
  }

  function sourceCell(sentence, translations) {
    const listed = new Map();
    for (const term of translations.flatMap((each) => each.terms)) {
      const before = listed.get(term.start);
      listed.set(term.start, { ...term, found: term.found && (before === undefined || before.found) });
    }
    const marks = [...listed.values()].map((term) => ({
      start: term.start,
      end: term.end,
      className: term.found ? "" : "missing",
      title: `${term.found ? "term" : "not translated as listed"}: ${term.expected.join(", ")}`,
    }));
    const who = make("p", "who", results.dataset.source);
    return make("div", "cell", who, written(sentence.source, "source", marks));
  }

  function sureness(confidence) {
    if (!confidence) return "";
    const { expected_chrf: expected, low, high, mean_log_probability: mean } = confidence;
    if (expected === null) return `${Math.round(100 * Math.exp(mean))} % sure of each word piece`;
    return `expected chrF ${Math.round(expected)} (${Math.round(low)} to ${Math.round(high)})`;
  }

  function targetCell(sentence, system) {
    const marks = sentence.terms.filter((term) => term.translation_start !== null).map((term) => ({
      start: term.translation_start, end: term.translation_end, title: `term: ${term.term}`,
    }));
    const cell = make("div", sentence.least_sure ? "cell first" : "cell", make("p", "who", system));
    cell.append(written(sentence.translation, "target", marks));
    const sure = make("p", "sure");
    if (sentence.least_sure) sure.append(make("span", "badge first", "read first"));
    sure.append(sureness(sentence.confidence));
    if (sure.textContent) cell.append(sure);
    const failed = sentence.checks.filter((check) => !check.passed);
    if (failed.length) {
      cell.append(make("ul", "failed", ...failed.map((check) =>
        make("li", "", make("span", "badge failed", check.check), make("bdi", "", check.message)))));
    }
    return cell;
  }

  function heading(name, whole) {
    const head = make("div", "", make("h3", "", make("bdi", "", name)));
    if (whole === null) return head;
    const button = make("button", "small", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", `Copy the translation by ${name}`);
    button.addEventListener("click", () => copy(whole, name));
    head.append(button);
    return head;
  }

  function show(answer) {
    const { translations } = answer;
    const columns = `cells c${translations.length + 1}`;
    at("heads").className = columns;
    at("heads").replaceChildren(
      heading(results.dataset.source, null), ...translations.map((each) => heading(each.system, each.text)));
    const first = translations[0].sentences;
    const rows = first.map((sentence, index) => {
      const own = translations.map((each) => each.sentences[index]);
      const cells = make("div", columns, sourceCell(sentence, own));
      own.forEach((each, number) => cells.append(targetCell(each, translations[number].system)));
      const row = make("li", index && sentence.paragraph !== first[index - 1].paragraph ? "paragraph" : "", cells);
      row.tabIndex = index ? -1 : 0;
      return row;
    });
    at("sentences").replaceChildren(...rows);
    results.hidden = false;
    const all = translations.flatMap((each) => each.sentences);
    const failed = all.filter((each) => each.checks.some((check) => !check.passed)).length;
    say(`${counted(first.length, "sentence")} by ${counted(translations.length, "system")}; `
      + `a check found something in ${counted(failed, "translation")}.`);
  }

  // One row is reached by Tab, the others from there.
  at("sentences").addEventListener("keydown", (event) => {
    const row = event.target.closest("li");
    const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
    if (event.target !== row || !next) return;
    event.preventDefault();
    row.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  // What people are told

  function say(sentence) {
    at("trouble").textContent = "";
    at("status").textContent = sentence;
  }

  function complain(sentence) {
    at("status").textContent = "";
    at("trouble").textContent = sentence;
  }

  async function copy(whole, name) {
    let isCopied = true;
    try {
      await navigator.clipboard.writeText(whole);
    } catch {
      // Browsers have no clipboard for pages without TLS, except on this machine.
      const field = make("textarea", "unseen", whole);
      const before = document.activeElement;
      document.body.append(field);
      field.select();
      isCopied = document.execCommand("copy");
      field.remove();
      before.focus();
    }
    if (isCopied) say(`Copied the translation by ${name}.`);
    else complain("The browser does not allow this page to copy. Mark the text, and copy it by Ctrl+C.");
  }

  // The server

  function wanted() {
    const boxes = [...form.querySelectorAll("[name=system]")];
    return boxes.filter((box) => box.type === "hidden" || box.checked).map((box) => box.value);
  }

  function begin(controller) {
    running = controller;
    at("stop").hidden = !controller;
    at("translate").setAttribute("aria-disabled", String(Boolean(controller)));
    results.setAttribute("aria-busy", String(Boolean(controller)));
  }

  async function ask(systems, signal) {
    const response = await fetch("translate", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text: text.value, systems }),
      signal,
    });
    let answer = null;
    try {
      answer = await response.json();
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
    if (response.ok && answer) return answer;
    const sentence = answer && answer.error ? answer.error : `the server answered with status ${response.status}`;
    throw new Error(sentence.charAt(0).toUpperCase() + sentence.slice(1) + ".");
  }

  async function translate() {
    if (running) return;
    const systems = wanted();
    if (!text.value.trim()) return complain("There is no text to translate.");
    if (length(text.value) > most) return complain(`The text is longer than ${most.toLocaleString("en")} characters.`);
    if (!systems.length) return complain("Choose a system.");
    const controller = new AbortController();
    begin(controller);
    say("Translating ...");
    const sent = text.value;
    try {
      const answer = await ask(systems, controller.signal);
      show(answer);
      remember(sent, answer);
    } catch (error) {
      if (error.name === "AbortError") say("Stopped.");
      else complain(error instanceof TypeError ? "The server cannot be reached." : error.message);
    } finally {
      begin(null);
    }
  }

  // The history

  function kept() {
    try {
      const found = JSON.parse(localStorage.getItem(KEY));
      return Array.isArray(found) ? found.filter((each) => each && typeof each.text === "string") : [];
    } catch {
      return [];
    }
  }

  function store(entries) {
    // What the browser has no room for is left out, the oldest first.
    for (let number = entries.length; number >= 0; number -= 1) {
      try {
        if (number) localStorage.setItem(KEY, JSON.stringify(entries.slice(0, number)));
        else localStorage.removeItem(KEY);
        break;
      } catch {
        continue;
      }
    }
    showHistory();
  }

  function remember(sent, answer) {
    const isShort = JSON.stringify(answer).length <= MOST_STORED;
    const others = kept().filter((each) => each.text !== sent);
    store([{ text: sent, answer: isShort ? answer : null }, ...others].slice(0, MOST_KEPT));
  }

  function showHistory() {
    const entries = kept();
    at("history").replaceChildren(...entries.map((entry) => {
      const button = make("button", "", entry.text.trim().slice(0, 200));
      button.type = "button";
      button.addEventListener("click", () => bringBack(entry));
      return make("li", "", button);
    }));
    at("past").hidden = !entries.length;
  }

  function bringBack(entry) {
    text.value = entry.text;
    count();
    text.focus();
    try {
      show(entry.answer);
    } catch {
      // Kept by an earlier version of this page, or too long to be kept.
      results.hidden = true;
      say("Press Translate to translate it again.");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    translate();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    translate();
  });
  text.addEventListener("input", count);
  at("stop").addEventListener("click", () => running && running.abort());
  at("empty").addEventListener("click", () => {
    text.value = "";
    count();
    text.focus();
  });
  at("forget").addEventListener("click", () => {
    store([]);
    say("The history is cleared.");
    text.focus();
  });
  // Browsers put the text back when one returns to the page, after this script has run.
  window.addEventListener("pageshow", count);
  // Another tab has translated or cleared something.
  window.addEventListener("storage", showHistory);
  count();
  showHistory();
})();
