"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const { page, file, columns, formula, first, sentences } = JSON.parse(byId("reading-data").textContent);
  const storageKey = "mt-corrections-" + page;
  const CHUNK = 50; // sentences that are put on the page at once, and laid out together when they are seen
  const KEEP_AFTER_MS = 300;

  let notes = new Map(); // by position: {text, read, of}, only of what was changed or read
  let cards = new Map(); // by position, of what is shown
  let storageWorks = true;
  let isSaved = true;
  let drawing = 0;
  let waiting = 0;

  // Blank lines are in the table, but there is nothing to read.
  const readable = sentences.map((_, i) => i).filter((i) => sentences[i].source !== "");

  const oneLine = (text) => text.replace(/[\s\x1c-\x1f\x85]+/g, " ").replace(/^ | $/g, "");
  const note = (i) => notes.get(i) ?? { text: null, read: false };
  const isRead = (i) => note(i).read;
  const isChanged = (i) => note(i).text !== null && oneLine(note(i).text) !== oneLine(sentences[i].machine);
  const target = (i) => (isChanged(i) ? oneLine(note(i).text) : sentences[i].machine);
  const isMissing = (i) => sentences[i].faults[0] === "not translated";
  const isFirst = (i) => isMissing(i) || (sentences[i].rank !== null && sentences[i].rank <= first);
  const needsLook = (i) => isFirst(i) || sentences[i].faults.length > 0;
  const count = (test) => readable.filter(test).length;
  const byRank = (a, b) => (sentences[a].rank ?? Infinity) - (sentences[b].rank ?? Infinity) || a - b;

  // What is kept in the browser. Private windows and some settings refuse it, at any moment.

  function change(i, changes) {
    notes.set(i, { ...note(i), ...changes, of: hash(sentences[i].machine) });
    isSaved = false;
    clearTimeout(waiting);
    waiting = setTimeout(keep, KEEP_AFTER_MS);
    showState(i);
    showProgress();
  }

  function keep() {
    clearTimeout(waiting);
    try {
      localStorage.setItem(storageKey, JSON.stringify([...notes]));
    } catch {
      lackStorage();
    }
  }

  function restore() {
    let kept = null;
    try {
      kept = localStorage.getItem(storageKey);
    } catch {
      lackStorage();
    }
    if (kept === null) return;
    try {
      const found = JSON.parse(kept).map(soundNote);
      const ofOthers = found.filter(([i, { of }]) => of !== hash(sentences[i].machine));
      notes = new Map(found.map(stillTrue));
      if (ofOthers.length) {
        byId("notice").textContent = "The document has been translated again. What you corrected before is still here; "
          + `changed: ${ofOthers.filter(([i]) => isChanged(i)).length}.`;
      }
    } catch {
      byId("trouble").textContent = "The corrections that this browser kept are damaged and cannot be used.";
    }
  }

  function soundNote([i, { text, read, of }]) {
    const isSound = sentences[i] && (text === null || typeof text === "string") && typeof of === "number";
    if (!isSound) throw new Error("damaged");
    return [i, { text, read: Boolean(read), of }];
  }

  /** A correction is of its sentence and outlives its translation; what was left as it was has to be read again. */
  function stillTrue([i, { text, read, of }]) {
    const now = hash(sentences[i].machine);
    const isCorrected = text !== null && hash(oneLine(text)) !== of;
    const isNew = of !== now && !isCorrected;
    return [i, { text: isNew ? null : text, read: !isNew && read, of: now }];
  }

  /** 32 bits (FNV-1a): browsers keep too little to keep each translation beside its correction. */
  function hash(text) {
    let value = 0x811c9dc5;
    for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
    return value;
  }

  function lackStorage() {
    storageWorks = false;
    byId("trouble").textContent =
      "This browser does not keep your corrections. Save them to a file before you close or reload the page.";
  }

  // What is seen.

  function numbersOf({ numbers, rank }) {
    if (numbers === null) return "";
    const [chrf, low, high, mean] = numbers;
    const sure = chrf === null ? `log-probability ${mean.toFixed(2).replace("-", "\u2212")}`
      : `expected chrF ${chrf} (${low} to ${high})`;
    return `${sure} · number ${rank} in the order to read`;
  }

  function badgeOf(i) {
    if (isMissing(i)) return "Not translated";
    if (isFirst(i)) return "Read first";
    return sentences[i].faults.length ? "Look at this" : "";
  }

  function makeCard(i) {
    const { source, place, faults } = sentences[i];
    const card = byId("sentence").content.firstElementChild.cloneNode(true);
    const part = (selector) => card.querySelector(selector);
    const name = `Sentence ${i + 1}`;
    card.dataset.index = i;
    card.classList.toggle("first", isFirst(i));
    card.classList.toggle("look", !isFirst(i) && needsLook(i));
    part("h2").textContent = place && place !== `line ${i + 1}` ? `${name} (${place})` : name;
    part(".badge").textContent = badgeOf(i);
    part(".numbers").textContent = numbersOf(sentences[i]);
    part(".failed").replaceChildren(...faults.filter(() => !isMissing(i)).map((fault) => {
      const item = document.createElement("li");
      item.dir = "auto";
      item.textContent = fault;
      return item;
    }));
    part(".source").textContent = source;
    part("textarea").value = note(i).text ?? sentences[i].machine;
    // For browsers that do not fit the box to its text.
    part("textarea").rows = Math.max(1, Math.ceil(sentences[i].machine.length / 55));
    part("textarea").setAttribute("aria-label", `Translation of sentence ${i + 1}`);
    part(".read").setAttribute("aria-label", `Sentence ${i + 1} is read`);
    part(".reset").setAttribute("aria-label", `Reset sentence ${i + 1}`);
    return card;
  }

  function showState(i) {
    const card = cards.get(i);
    if (!card) return;
    const isEmpty = isChanged(i) && target(i) === "";
    card.classList.toggle("changed", isChanged(i));
    card.querySelector(".read").checked = isRead(i);
    card.querySelector(".state").textContent = isEmpty ? "Emptied: not learnt from" : isChanged(i) ? "Changed" : "";
    card.querySelector(".reset").disabled = !isChanged(i);
  }

  const progressText = () => `${count(isRead)} of ${readable.length} read, ${count(isChanged)} changed`;

  function showProgress() {
    byId("bar").max = readable.length;
    byId("bar").value = count(isRead);
    byId("progress").textContent = progressText();
  }

  function wanted() {
    const tests = { all: () => true, look: needsLook, unread: (i) => !isRead(i), changed: isChanged };
    const found = readable.filter(tests[byId("show").value]);
    return byId("order").value === "first" ? found.sort(byRank) : found;
  }

  /** Fill the list, a part at a time, so that the first sentences can be read at once. */
  function draw() {
    const own = ++drawing;
    const rest = wanted();
    cards = new Map();
    byId("sentences").replaceChildren();
    byId("none").hidden = rest.length > 0;
    const next = () => {
      if (own !== drawing) return;
      const part = document.createElement("ol");
      part.append(...rest.splice(0, CHUNK).map((i) => {
        cards.set(i, makeCard(i));
        showState(i);
        return cards.get(i);
      }));
      byId("sentences").append(part);
      if (rest.length) setTimeout(next);
    };
    next();
  }

  // The table, as `mt translate --bilingual` writes it.

  /** What a spreadsheet would run as a formula gets an apostrophe, which is taken away when the table is read. */
  const shielded = (text) => (formula.includes(text.replace(/^'+/, "")[0]) ? `'${text}` : text);
  const cell = (text) => (/["\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  function table() {
    const rows = sentences.map(({ source, machine }, i) =>
      [...[source, target(i), machine, file].map(shielded), String(i + 1)]);
    return "\ufeff" + [columns, ...rows].map((row) => row.map(cell).join("\t") + "\n").join("");
  }

  function save() {
    if (count(isChanged) === 0) {
      byId("notice").textContent = "Nothing is changed yet, so there is nothing to save.";
      return;
    }
    const url = URL.createObjectURL(new Blob([table()], { type: "text/tab-separated-values" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${file.replace(/[\s\\/:*?"<>|]+/g, "_")}.bilingual.tsv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    isSaved = true;
    byId("notice").textContent = `${progressText()}, saved as ${link.download}.`;
  }

  // What the reader does.

  const indexOf = (element) => Number(element.closest(".sentence").dataset.index);

  function moveOn(i) {
    change(i, { read: true });
    const card = cards.get(i);
    const following = card.nextElementSibling ?? card.parentElement.nextElementSibling?.firstElementChild;
    const box = following?.querySelector("textarea");
    byId("announcement").textContent = `Sentence ${i + 1} is read. ${progressText()}.`;
    if (!box) return;
    box.focus();
    box.closest(".sentence").scrollIntoView({ block: "nearest" });
  }

  function reset(i) {
    const box = cards.get(i).querySelector("textarea");
    box.value = sentences[i].machine;
    change(i, { text: null });
    box.focus(); // the button is disabled now and would lose the focus
  }

  function restart() {
    if (!confirm("Delete all changes on this page? Save them first if they are still wanted.")) return;
    notes = new Map();
    isSaved = true;
    keep();
    byId("notice").textContent = "";
    draw();
    showProgress();
  }

  /** The same page in another tab: what was done there counts here; the box that is being written in stays. */
  function takeOver() {
    restore();
    for (const [i, card] of cards) {
      const box = card.querySelector("textarea");
      if (box !== document.activeElement) box.value = note(i).text ?? sentences[i].machine;
      showState(i);
    }
    showProgress();
  }

  function listen() {
    const list = byId("sentences");
    list.addEventListener("input", ({ target: box }) => {
      if (box.matches("textarea")) change(indexOf(box), { text: box.value, read: true });
    });
    list.addEventListener("change", ({ target: box }) => {
      if (box.matches(".read")) change(indexOf(box), { read: box.checked });
    });
    list.addEventListener("click", ({ target: button }) => {
      if (button.matches(".reset")) reset(indexOf(button));
    });
    list.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches("textarea")) return;
      event.preventDefault();
      moveOn(indexOf(event.target));
    });
    byId("order").addEventListener("change", draw);
    byId("show").addEventListener("change", draw);
    byId("save").addEventListener("click", save);
    byId("restart").addEventListener("click", restart);
    window.addEventListener("pagehide", keep);
    window.addEventListener("beforeunload", (event) => {
      // Here, too: a page that is opened next may be in another process, and read before `pagehide` has written.
      keep();
      if (!storageWorks && !isSaved && count(isChanged)) event.preventDefault();
    });
    window.addEventListener("storage", (event) => {
      if (event.key === storageKey) takeOver();
    });
  }

  restore();
  listen();
  byId("reading").hidden = false;
  draw();
  showProgress();
})();
