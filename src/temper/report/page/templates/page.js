"use strict";
(() => {
  const root = document.documentElement, all = (what, within = document) => [...within.querySelectorAll(what)];
  const say = (text) => { const said = document.getElementById("said"); if (said) said.textContent = text; };
  root.classList.add("js");

  // light or dark: the system's until a person chooses
  const kept = { get: () => { try { return localStorage.getItem("temper-theme"); } catch { return null; } },
                 set: (value) => { try { localStorage.setItem("temper-theme", value); } catch { /* a file: page may not keep it */ } } };
  if (kept.get()) root.dataset.theme = kept.get();
  const theme = document.getElementById("theme");
  if (theme) theme.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark"; kept.set(root.dataset.theme); say(`${root.dataset.theme} colours`);
  });

  // one workload at a time, everywhere on the page
  const names = [...new Set(all(".of-workload").map((each) => each.dataset.workload))];
  const pick = (name) => {
    all(".of-workload").forEach((each) => { each.hidden = each.dataset.workload !== name; });
    all(".picker button").forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.pick === name)));
  };
  if (names.length) pick(names[0]);
  all("[data-pick]").forEach((each) => each.addEventListener("click", () => { pick(each.dataset.pick); say(`workload ${each.dataset.pick}`); }));

  // what a pointer or the keyboard rests on, in a box of the page's own: the browser's comes late, and never for the keyboard
  const tip = document.getElementById("tip");
  all("[title]").forEach((each) => { each.dataset.tip = each.title; each.removeAttribute("title"); });
  all("svg title").forEach((each) => { each.parentElement.dataset.tip = each.textContent; each.remove(); });
  let shown = null;
  const show = (on) => {
    shown = on; tip.textContent = on.dataset.tip; tip.hidden = false;
    const box = on.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left + box.width / 2 - own.width / 2), innerWidth - own.width - 8);
    const above = box.top - own.height - 8;
    tip.style.left = `${left}px`; tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
  };
  const hide = () => { tip.hidden = true; shown = null; };
  const over = (event) => { const on = event.target.closest && event.target.closest("[data-tip]"); if (on && on.dataset.tip) show(on); else hide(); };
  document.addEventListener("pointerover", over); document.addEventListener("focusin", over); document.addEventListener("focusout", hide);
  // the keyboard's own step scrolls the page, and a page may scroll below a pointer that rests: the box goes along
  document.addEventListener("scroll", () => { if (shown && (shown.contains(document.activeElement) || shown.matches(":hover"))) show(shown); else hide(); }, { passive: true, capture: true }); document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // tables: sort, filter, columns, CSV
  const value = (row, key) => { const cell = row.querySelector(`[data-key="${key}"]`); return cell ? cell.dataset.value : ""; };
  const compare = (one, other) => {
    const numbers = [Number(one), Number(other)];
    return numbers.some(Number.isNaN) ? one.localeCompare(other, "en", { numeric: true }) : numbers[0] - numbers[1];
  };
  all(".results").forEach((results) => {
    const body = results.querySelector("tbody"), given = all("tr", body), heads = all("th[data-key]", results.querySelector("thead"));
    heads.forEach((head) => head.querySelector("button").addEventListener("click", () => {
      const now = head.getAttribute("aria-sort"), number = head.classList.contains("num");
      const next = now === "none" ? (number ? "descending" : "ascending") : now === "descending" ? "ascending" : "descending";
      heads.forEach((each) => each.setAttribute("aria-sort", each === head ? next : "none"));
      const key = head.dataset.key, sign = next === "descending" ? -1 : 1;
      const sorted = [...given].sort((a, b) => {
        const [one, other] = [value(a, key), value(b, key)];
        if (one === "" || other === "") return (one === "") - (other === "");
        return sign * compare(one, other);
      });
      body.append(...sorted);
      say(`sorted by ${head.textContent.trim()}, ${next}`);
    }));
    results.querySelector("[data-filter-table]").addEventListener("input", (event) => {
      const words = event.target.value.trim().toLowerCase();
      given.forEach((row) => { row.hidden = !row.dataset.candidate.toLowerCase().includes(words); });
    });
    all("input[data-column]", results).forEach((box) => box.addEventListener("change", () => {
      all(`[data-key="${box.dataset.column}"]`, results).forEach((cell) => cell.classList.toggle("off", !box.checked));
    }));
    results.querySelector("[data-copy]").addEventListener("click", async (event) => {
      const keys = heads.filter((head) => !head.classList.contains("off"));
      const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
      const lines = [keys.map((head) => quote(head.textContent.trim()))];
      all("tr", body).filter((row) => !row.hidden).forEach((row) => lines.push(keys.map((head) => quote(value(row, head.dataset.key)))));
      const text = lines.map((line) => line.join(",")).join("\n") + "\n", button = event.target, was = button.textContent;
      button.dataset.csv = text;
      let told = "copied";
      try { await navigator.clipboard.writeText(text); } catch {
        const area = document.createElement("textarea"); area.value = text; document.body.append(area); area.select();
        told = document.execCommand("copy") ? "copied" : "the browser does not let a page copy"; area.remove();
      }
      button.textContent = told; say(told); setTimeout(() => { button.textContent = was; }, 1500);
    });
  });
  document.addEventListener("click", (event) => all(".menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; }));

  // a link to a candidate opens it
  const open = () => {
    all(".aimed").forEach((each) => each.classList.remove("aimed"));
    const aim = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!aim) return;
    const details = aim.closest("details.candidate");
    if (details) { details.open = true; details.classList.add("aimed"); details.scrollIntoView(); details.querySelector("summary").focus({ preventScroll: true }); }
  };
  addEventListener("hashchange", open); open();

  // the flips: all text goes in as text
  const data = document.getElementById("flip-data"), flips = data ? JSON.parse(data.textContent) : { candidates: {} };
  const field = (name) => document.getElementById(`flip-${name}`);
  if (field("candidate")) {
    const make = (name, text, kind) => { const made = document.createElement(name); if (text !== undefined) made.textContent = text; if (kind) made.className = kind; return made; };
    const answer = (label, confidence, right) => {
      const cell = make("td"); cell.append(make("span", label, `pill ${right ? "good" : "bad"}`), document.createTextNode(confidence === null ? "" : ` ${(100 * confidence).toFixed(1)} %`));
      if (confidence === null) return cell;
      const bar = make("span", undefined, "conf"); bar.style.width = `${2.4 * confidence}rem`; cell.append(bar); return cell;
    };
    const confusion = (own) => {
      const table = document.getElementById("confusion"), from = new Map(), names = new Map();
      own.flips.forEach(([, then, , now]) => { names.set(then, (names.get(then) || 0) + 1); names.set(now, (names.get(now) || 0) + 1); from.set(JSON.stringify([then, now]), (from.get(JSON.stringify([then, now])) || 0) + 1); });
      const shown = [...names].sort((a, b) => b[1] - a[1]).slice(0, 12).map(([name]) => name);
      table.replaceChildren();
      if (!shown.length) return;
      const head = table.createTHead().insertRow(); head.append(make("th", "from ↓ to →")); shown.forEach((name) => head.append(make("th", name, "num")));
      const body = table.createTBody();
      shown.forEach((then) => { const row = body.insertRow(); const first = make("th", then); first.scope = "row"; row.append(first);
        shown.forEach((now) => row.append(make("td", then === now ? "·" : String(from.get(JSON.stringify([then, now])) || 0), `num${then === now ? " same" : ""}`))); });
    };
    const draw = () => {
      const own = flips.candidates[field("candidate").value], direction = field("direction").value, label = field("label").value, words = field("words").value.trim().toLowerCase();
      const body = document.querySelector("#flip-table tbody"); body.replaceChildren();
      let shown = 0;
      own.flips.forEach(([number, then, thenConfidence, now, nowConfidence, way]) => {
        const row = flips.rows[number];
        if ((direction && way !== direction) || (label && row.label !== label) || (words && !(row.text || "").toLowerCase().includes(words))) return;
        shown += 1;
        const line = body.insertRow(); line.dataset.row = number; line.append(make("td", String(number), "num"));
        const asked = make("td", row.text);
        if (row.picture) { const image = make("img"); image.src = `data:image/png;base64,${row.picture}`; image.alt = `test row ${number}`; asked.append(image); }
        if (!row.text && !row.picture) { asked.textContent = `test row ${number}`; asked.className = "quiet"; }
        line.append(asked, make("td", row.label), answer(then, thenConfidence, then === row.label), answer(now, nowConfidence, now === row.label));
      });
      field("count").textContent = own.count ? `${shown} of ${own.count} flips in ${own.of.toLocaleString("en")} rows: ${own.lost} were right and are wrong, ${own.gained} were wrong and are right${own.other ? `, ${own.other} are wrong in another way` : ""}.${own.left_out ? ` ${own.left_out} more are in comparison.json.` : ""}` : `No label of ${own.of.toLocaleString("en")} rows differs.`;
      confusion(own);
    };
    ["candidate", "direction", "label", "words"].forEach((name) => field(name).addEventListener("input", draw));
    all("[data-flips]").forEach((link) => link.addEventListener("click", () => { field("candidate").value = link.dataset.flips; draw(); }));
    const chosen = document.querySelector("tr.chosen"), first = chosen && flips.candidates[chosen.dataset.candidate] && flips.candidates[chosen.dataset.candidate].count ? chosen.dataset.candidate : Object.keys(flips.candidates).find((name) => flips.candidates[name].count);
    if (first) field("candidate").value = first;
    draw();
  }
  root.dataset.ready = "true";
})();
