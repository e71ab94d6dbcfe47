// The sentence browser of a report. Reads the JSON in #data, shows it in #browser; text is only ever set as text.
(() => {
  "use strict";
  const PAGE = 25;
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const fields = ["q", "set", "system", "order", "check", "slice", "compare"].map(at);
  const [query, setField, systemField, orderField, checkField, sliceField, compareField] = fields;
  let rows = [];
  let shown = 0;
  let only = null; // one sentence, from a link

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const number = (value, digits, sign = false) => {
    const text = (sign && value > 0 ? "+" : "") + value.toFixed(digits);
    return element("data", { value: String(value) }, text.replace("-", "\u2212"));
  };
  const option = (value, text) => element("option", { value }, text);
  // Case, vowel signs, tatweel, digits, forms of alef, final ه and ي do not matter to a search.
  const folded = (text) =>
    text.toLowerCase().replace(/[\u064b-\u065f\u0670\u0640]/g, "").replace(/[أإآٱ]/g, "ا").replace(/ة/g, "ه").replace(/ى/g, "ي")
      .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x660));

  const current = () => data.sets[Number(setField.value)];
  const haystack = (sentence) => (sentence.folded ??= folded([sentence[0], sentence[1], ...sentence[2]].join("\n")));

  function fillFields() {
    const set = current();
    const before = systemField.value;
    systemField.replaceChildren(...set.systems.map((name, i) => option(i, name)));
    const preferred = set.systems.findIndex((name) => name !== data.baseline);
    systemField.value = before && Number(before) < set.systems.length ? before : String(Math.max(preferred, 0));
    const groups = new Map();
    set.slices.forEach(([group, name, members], i) => {
      if (!groups.has(group)) groups.set(group, element("optgroup", { label: group }));
      groups.get(group).append(option(i, `${name} (${members.length})`));
    });
    sliceField.replaceChildren(option("", "all sentences"), ...groups.values());
  }

  function wanted() {
    const set = current();
    const system = Number(systemField.value);
    const base = set.systems.indexOf(data.baseline);
    let found = set.sentences.map((_, i) => i);
    if (only !== null) return [only].filter((i) => i < set.sentences.length);
    if (sliceField.value !== "") found = [...set.slices[Number(sliceField.value)][2]];
    // Words in quotation marks are looked for as they stand together.
    const words = [...folded(query.value).matchAll(/"([^"]+)"|([^\s"]+)/g)].map((match) => match[1] ?? match[2]);
    if (words.length) found = found.filter((i) => words.every((word) => haystack(set.sentences[i]).includes(word)));
    if (checkField.value !== "") {
      const check = Number(checkField.value);
      const fails = (f) => f[0] === system && (check < 0 || f[1] === check);
      found = found.filter((i) => set.sentences[i][4].some(fails));
    }
    const score = (i) => set.sentences[i][3][system];
    const gain = (i) => score(i) - set.sentences[i][3][base];
    const by = { losses: gain, wins: (i) => -gain(i), lowest: score }[orderField.value];
    return by ? found.sort((a, b) => by(a) - by(b) || a - b) : found;
  }

  // Words of `text` that are in no longest common subsequence with `other`.
  function changedWords(text, other) {
    const a = text.split(/\s+/).filter(Boolean), b = other.split(/\s+/).filter(Boolean);
    const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    const changed = new Set();
    let i = 0, j = 0;
    while (i < a.length) {
      if (j < b.length && a[i] === b[j] && table[i][j] === table[i + 1][j + 1] + 1) { i++; j++; }
      else if (j < b.length && table[i][j + 1] >= table[i + 1][j]) j++;
      else changed.add(i++);
    }
    return { words: a, changed };
  }

  function target(text, other) {
    const paragraph = element("p", { class: "target", ...data.target });
    if (!text.trim()) paragraph.append(element("span", { class: "soft", lang: "en", dir: "ltr" }, "(empty)"));
    else if (other === null) paragraph.append(text);
    else {
      const { words, changed } = changedWords(text, other);
      words.forEach((word, i) => {
        if (i) paragraph.append(" ");
        paragraph.append(changed.has(i) ? element("mark", {}, word) : word);
      });
    }
    return paragraph;
  }

  function source(sentence) {
    const paragraph = element("p", { class: "source", ...data.source });
    const letters = Array.from(sentence[0]);
    let position = 0;
    for (const [start, end, terms] of sentence[5]) {
      paragraph.append(letters.slice(position, start).join(""));
      const term = letters.slice(start, end).join("");
      paragraph.append(element("abbr", { title: terms }, term));
      position = end;
    }
    paragraph.append(letters.slice(position).join(""));
    return paragraph;
  }

  function translation(set, sentence, i) {
    const base = set.systems.indexOf(data.baseline);
    const name = i < 0 ? "reference" : set.systems[i];
    const heading = element("h4", {}, name);
    if (i >= 0) {
      heading.append(`: ${data.metric} `, number(sentence[3][i], 1));
      const gain = sentence[3][i] - sentence[3][base];
      if (i !== base && gain !== 0) {
        const text = gain > 0 ? "above" : "below";
        heading.append(" ", element("span", { class: gain > 0 ? "better" : "worse", title: `${text} ${data.baseline}` }, `${gain > 0 ? "▲" : "▼"} ${text}`));
      }
    }
    const against = { reference: i < 0 ? null : sentence[1], baseline: i < 0 || i === base ? null : sentence[2][base], none: null };
    const box = element("div", {}, heading, target(i < 0 ? sentence[1] : sentence[2][i], against[compareField.value]));
    const failed = sentence[4].filter((failure) => failure[0] === i);
    if (failed.length) {
      const items = failed.map(([, check, detail]) => element("li", {}, element("b", {}, data.checks[check]), ": ", element("bdi", {}, detail)));
      box.append(element("ul", { class: "failed" }, ...items));
    }
    return box;
  }

  function item(set, i) {
    const sentence = set.sentences[i];
    const anchor = `${encodeURIComponent(set.name)}-${i + 1}`;
    const link = element("a", { class: "number", href: `#s-${anchor}`, "aria-label": `Link to sentence ${i + 1} of ${set.name}` }, String(i + 1));
    const boxes = [-1, ...set.systems.keys()].map((n) => translation(set, sentence, n));
    return element("li", { id: `s-${anchor}` }, link, source(sentence), element("div", { class: "translations" }, ...boxes));
  }

  function showMore(focus) {
    const list = at("list"), set = current();
    const next = rows.slice(shown, shown + PAGE).map((i) => item(set, i));
    list.append(...next);
    shown += next.length;
    at("more").hidden = shown >= rows.length;
    at("more").textContent = `Show ${Math.min(PAGE, rows.length - shown)} more`;
    const all = set.sentences.length;
    at("count").textContent = rows.length === 0
      ? "No sentence matches. Clear the search or choose other filters."
      : `${rows.length} of ${all} sentences match; ${shown} shown.`;
    if (focus && next.length) next[0].querySelector("a").focus();
  }

  function update() {
    rows = wanted();
    shown = 0;
    at("list").replaceChildren();
    showMore(false);
  }

  function fromLink() {
    const match = location.hash.match(/^#s-(.+)-(\d+)$/);
    const set = match ? data.sets.findIndex((each) => encodeURIComponent(each.name) === match[1]) : -1;
    if (set < 0 || !data.sets[set].sentences[Number(match[2]) - 1]) {
      if (only !== null) changed();
      return;
    }
    setField.value = String(set);
    fillFields();
    only = Number(match[2]) - 1;
    at("all").hidden = false;
    update();
    at("browser").scrollIntoView();
    at("list").querySelector("a").focus();
  }

  setField.replaceChildren(...data.sets.map((set, i) => option(i, `${set.name} (${set.sentences.length})`)));
  checkField.replaceChildren(option("", "any sentence"), option(-1, "that fails any check"), ...data.checks.map((check, i) => option(i, `that fails: ${check}`)));
  fillFields();
  let timer = 0;
  const changed = () => {
    if (location.hash.startsWith("#s-")) history.replaceState(null, "", location.pathname + location.search);
    only = null;
    at("all").hidden = true;
    update();
  };
  for (const field of fields.slice(1))
    field.addEventListener("change", () => { if (field === setField) fillFields(); changed(); });
  query.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(changed, 150); });
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("more").addEventListener("click", () => showMore(true));
  at("all").addEventListener("click", changed);
  addEventListener("hashchange", fromLink);
  update();
  fromLink();
})();
