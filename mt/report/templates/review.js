"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const review = JSON.parse(byId("review-data").textContent);
  const items = review.items;
  const storageKey = "mt-ratings-" + review.page;
  const radios = [...document.querySelectorAll("input[name=choice]")];
  const CHOICES = radios.map((radio) => radio.value);
  const CHOICE_NAMES = Object.fromEntries(
    radios.map((radio) => [radio.value, radio.parentElement.childNodes[1].textContent]));

  let answers = items.map(noAnswer); // by position on the page
  let position = 0;
  let storageWorks = true;
  let isExported = true;

  function noAnswer() {
    return { choice: null, comment: "", saw_reference: false, better: "", from: null };
  }

  const oneLine = (text) => text.replace(/[\s\x1c-\x1f\x85]+/g, " ").replace(/^ | $/g, "");
  const isRated = (answer) => answer.choice !== null;
  /** The translation that the reviewer has written; null if there is none, or if it is one of the two. */
  function betterOf(answer, item) {
    const better = oneLine(answer.better);
    return better === "" || [item.left, item.right].some((text) => oneLine(text) === better) ? null : better;
  }
  const isTouched = (answer) => isRated(answer) || answer.comment !== "" || answer.better !== "" || answer.saw_reference;
  const isTouchedRow = (row) =>
    row.choice !== null || row.comment !== "" || row.saw_reference || row.correction !== null;
  const ratedCount = () => answers.filter(isRated).length;
  const progressText = () => `${ratedCount()} of ${items.length} rated`;

  // The file: what is exported, imported and kept in the browser has one form.

  function correctionOf(answer, item) {
    const target = betterOf(answer, item);
    return target === null ? null
      : { source: item.source, target, machine: answer.from === null ? "" : item[answer.from], from: answer.from };
  }

  function asFile(isWanted) {
    const rows = items.map((item, i) => {
      const { choice, comment, saw_reference } = answers[i];
      const correction = correctionOf(answers[i], item);
      return { sentence: item.sentence, left: item.left_hash, right: item.right_hash, choice, comment, saw_reference, correction };
    });
    return {
      format: review.format, reviewer: byId("reviewer").value.trim(), test_set: review.test_set, page: review.page,
      items: rows.filter(isWanted),
    };
  }

  /** Answers by position from a file's content; throws an Error that says what is wrong with it. */
  function answersFrom(file) {
    const isRatings = file !== null && typeof file === "object" && Array.isArray(file.items);
    if (!isRatings || ![review.format, review.former_format].includes(file.format)) {
      throw new Error("it holds no ratings");
    }
    if (file.page !== review.page) throw new Error("it belongs to another review page");
    const positions = new Map(items.map((item, i) => [item.sentence, i]));
    const found = items.map(noAnswer);
    for (const row of file.items) {
      const at = row === null || typeof row !== "object" ? undefined : positions.get(row.sentence);
      const isSound = at !== undefined && row.left === items[at].left_hash && row.right === items[at].right_hash
        && (row.choice === null || CHOICES.includes(row.choice))
        && typeof row.comment === "string" && typeof row.saw_reference === "boolean" && isSoundCorrection(row.correction);
      if (!isSound) throw new Error("a rating in it does not fit this page");
      const { target: better, from } = row.correction ?? { target: "", from: null };
      found[at] = { choice: row.choice, comment: row.comment, saw_reference: row.saw_reference, better, from };
    }
    return found;
  }

  /** Files of the former format have no corrections. */
  function isSoundCorrection(correction) {
    return correction === undefined || correction === null
      || (typeof correction.target === "string" && [null, "left", "right"].includes(correction.from));
  }

  function takeFile(file) {
    answers = answersFrom(file);
    byId("reviewer").value = typeof file.reviewer === "string" ? file.reviewer : "";
  }

  // Storage. Private windows and some settings refuse it, at any moment.

  function change() {
    isExported = false;
    save();
  }

  function save() {
    try {
      // A translation that is just being written is kept as it is.
      const drafts = answers.map(({ better, from }, i) => [i, better, from]).filter(([, better]) => better !== "");
      localStorage.setItem(storageKey, JSON.stringify({ ...asFile(isTouchedRow), drafts, position }));
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
      const file = JSON.parse(kept);
      takeFile(file);
      for (const [i, better, from] of file.drafts ?? []) Object.assign(answers[i], { better: String(better), from });
      position = Number.isInteger(file.position) && items[file.position] ? file.position : 0;
    } catch (error) {
      byId("trouble").textContent = `The ratings that this browser kept cannot be used: ${error.message}.`;
    }
  }

  function lackStorage() {
    if (!storageWorks) return;
    storageWorks = false;
    byId("kept").hidden = true;
    byId("trouble").textContent =
      "This browser does not keep your ratings. Export them to a file before you close or reload the page.";
  }

  // What is seen.

  function fill(id, text) {
    const isEmpty = text.trim() === "";
    byId(id).textContent = isEmpty ? "(empty)" : text;
    byId(id).classList.toggle("soft", isEmpty);
  }

  function showReference(isShown) {
    byId("reference").hidden = !isShown;
    byId("show-reference").setAttribute("aria-expanded", String(isShown));
    byId("show-reference").textContent = isShown ? "Hide the reference" : "Show the reference";
  }

  function showSentence() {
    const item = items[position];
    byId("heading").textContent = `Sentence ${position + 1} of ${items.length}`;
    fill("source", item.source);
    fill("left", item.left);
    fill("right", item.right);
    fill("reference-text", item.reference);
    showReference(false);
    byId("comment").value = answers[position].comment;
    byId("better").value = answers[position].better;
    byId("better-details").open = answers[position].better !== "";
    byId("previous").disabled = position === 0;
    byId("next").disabled = position === items.length - 1;
    showProgress();
  }

  function showProgress() {
    const answer = answers[position];
    for (const radio of radios) radio.checked = radio.value === answer.choice;
    byId("state").textContent = isRated(answer) ? "rated" : "not rated";
    byId("clear").disabled = !isRated(answer);
    byId("bar").value = ratedCount();
    byId("progress").textContent = progressText();
    byId("unrated").disabled = answers.every((other, i) => isRated(other) || i === position);
    byId("export").classList.toggle("main", ratedCount() === items.length);
  }

  function announce(text) {
    byId("announcement").textContent = text;
  }

  // What the reviewer does.

  function rate(choice) {
    answers[position].choice = choice;
    change();
    showProgress();
    const isDone = ratedCount() === items.length;
    announce(`${choice === null ? "Not rated" : CHOICE_NAMES[choice]}. ${progressText()}.`);
    byId("notice").textContent = isDone ? "All sentences are rated. Export your ratings to a file." : "";
  }

  function startFrom(side) {
    const written = betterOf(answers[position], items[position]);
    if (written !== null && !confirm("Replace what you have written by this translation?")) return;
    answers[position].better = items[position][side];
    answers[position].from = side;
    byId("better").value = items[position][side];
    change();
    byId("better").focus();
  }

  function moveTo(index) {
    if (index < 0 || index >= items.length) return;
    position = index;
    save();
    showSentence();
    byId("heading").focus();
    announce(`${isRated(answers[position]) ? "Rated" : "Not rated"}. ${progressText()}.`);
  }

  function moveToUnrated() {
    const order = items.map((_, i) => (position + 1 + i) % items.length);
    const index = order.find((i) => !isRated(answers[i]));
    if (index !== undefined && index !== position) moveTo(index);
  }

  function exportFile() {
    const file = asFile((row) => row.choice !== null || row.correction !== null);
    if (file.items.length === 0) {
      byId("notice").textContent = "Nothing is rated yet, so there is nothing to export.";
      return;
    }
    if (file.reviewer === "") {
      byId("notice").textContent = "Write your name first: it tells your ratings from those of others.";
      byId("reviewer").focus();
      return;
    }
    const url = URL.createObjectURL(new Blob([JSON.stringify(file, null, 2) + "\n"], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `ratings-${review.test_set}-${file.reviewer}.json`.replace(/[\s\\/:*?"<>|]+/g, "_");
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    isExported = true;
    const better = file.items.filter((row) => row.correction !== null).length;
    const left = answers.filter((answer, i) =>
      !isRated(answer) && answer.comment !== "" && betterOf(answer, items[i]) === null).length;
    const leftOut = left ? ` Comments on sentences without a rating are left out (${left}).` : "";
    const also = better ? ` and ${better} better translation${better === 1 ? "" : "s"}` : "";
    byId("notice").textContent = `${progressText()}${also}, exported to ${link.download}.${leftOut}`;
  }

  async function importFile() {
    const chosen = byId("import-file").files[0];
    byId("import-file").value = ""; // or the same file, mended, could not be chosen again
    if (!chosen) return;
    try {
      const file = JSON.parse(await chosen.text());
      answersFrom(file);
      if (answers.some(isTouched) && !confirm(`Replace the ratings on this page by those in ${chosen.name}?`)) return;
      takeFile(file);
      change();
      showSentence();
      byId("notice").textContent = `${progressText()}, imported from ${chosen.name}.`;
    } catch (error) {
      const reason = error instanceof SyntaxError ? "it is not JSON" : error.message;
      byId("notice").textContent = `${chosen.name} was not imported: ${reason}.`;
    }
  }

  function restart() {
    if (!confirm("Delete all ratings on this page? Export them first if they are still wanted.")) return;
    answers = items.map(noAnswer);
    byId("reviewer").value = "";
    byId("notice").textContent = "";
    moveTo(0);
  }

  // Keys.

  const DIGITS = ["1234", "١٢٣٤", "۱۲۳۴"];

  /** Which choice a key stands for, on Latin, Arabic and Persian layouts, and on those that shift for digits. */
  function choiceOf(event) {
    for (const digits of DIGITS) {
      if (event.key.length === 1 && digits.includes(event.key)) return CHOICES[digits.indexOf(event.key)];
    }
    const place = event.shiftKey ? null : /^Digit([1-4])$/.exec(event.code);
    return place ? CHOICES[Number(place[1]) - 1] : undefined;
  }

  function onKey(event) {
    const isTyping = event.target.closest("textarea, input[type=text]") !== null;
    if (isTyping || !byId("shortcuts").checked || event.isComposing || event.defaultPrevented) return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const choice = choiceOf(event);
    if (choice !== undefined) rate(choice);
    // Left and right would move a focused radio button, and so change a rating that was meant to stay.
    else if (event.key === "ArrowLeft") moveTo(position - 1);
    else if (event.key === "ArrowRight") moveTo(position + 1);
    else if (event.code === "KeyN" && !event.shiftKey) moveToUnrated();
    else return;
    event.preventDefault();
  }

  function listen() {
    for (const radio of radios) radio.addEventListener("change", () => rate(radio.value));
    byId("clear").addEventListener("click", () => {
      rate(null);
      radios[0].focus(); // the button is disabled now and would lose the focus
    });
    byId("comment").addEventListener("input", (event) => {
      answers[position].comment = event.target.value;
      change();
    });
    byId("better").addEventListener("input", (event) => {
      answers[position].better = event.target.value;
      if (event.target.value === "") answers[position].from = null;
      change();
    });
    for (const side of ["left", "right"]) byId(`from-${side}`).addEventListener("click", () => startFrom(side));
    byId("show-reference").addEventListener("click", () => {
      const isShown = byId("reference").hidden;
      showReference(isShown);
      if (!isShown) return;
      answers[position].saw_reference = true;
      change();
    });
    byId("previous").addEventListener("click", () => moveTo(position - 1));
    byId("next").addEventListener("click", () => moveTo(position + 1));
    byId("unrated").addEventListener("click", moveToUnrated);
    byId("reviewer").addEventListener("input", change);
    byId("export").addEventListener("click", exportFile);
    byId("import").addEventListener("click", () => byId("import-file").click());
    byId("import-file").addEventListener("change", importFile);
    byId("restart").addEventListener("click", restart);
    document.addEventListener("keydown", onKey);
    window.addEventListener("beforeunload", (event) => {
      if (!storageWorks && !isExported && answers.some(isTouched)) event.preventDefault();
    });
    // The same page in another tab: what was rated there counts here, and is not overwritten.
    window.addEventListener("storage", (event) => {
      if (event.key !== storageKey) return;
      restoreQuietly();
    });
  }

  function restoreQuietly() {
    const here = position;
    restore();
    position = here;
    if ([byId("comment"), byId("better")].includes(document.activeElement)) showProgress();
    else showSentence();
  }

  listen();
  restore();
  byId("review").hidden = false;
  showSentence();
})();
