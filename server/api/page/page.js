// Shows swagger.json as a page. All text goes in as text, never as HTML.
"use strict";

const make = (tag, text, ...children) => {
  const e = document.createElement(tag);
  if (text) e.textContent = text;
  e.append(...children);
  return e;
};

let api;

const resolve = (s) => (s && s.$ref ? api.components.schemas[s.$ref.split("/").pop()] : s);

const word = (s) => {
  if (!s) return "any";
  if (s.$ref) return s.$ref.split("/").pop();
  if (s.type === "array") return "list of " + word(s.items);
  if (s.type === "object" && s.additionalProperties && s.additionalProperties !== true) return "map of " + word(s.additionalProperties);
  return s.format ? `${s.type} (${s.format})` : s.type || "any JSON";
};

const rows = (list) => {
  const table = make("table");
  for (const cells of list) table.append(make("tr", "", ...cells.map((c, i) => make("td", "", i === 0 ? make("code", c) : c))));
  return table;
};

const shape = (s, title) => {
  const part = make("div", "", make("h4", `${title}: ${word(s)}`));
  const inner = resolve(s && s.type === "array" ? s.items : s);
  if (inner && inner.description) part.append(make("p", inner.description));
  if (inner && inner.properties) part.append(rows(Object.entries(inner.properties).map(([n, p]) => [n, word(p), p.description || ""])));
  return part;
};

const body = (op, method, path) => {
  const part = make("div");
  if (op.description) part.append(make("p", op.description));
  if (op.parameters) part.append(make("h4", "Parameters"), rows(op.parameters.map((p) => [p.name, `${p.in}, ${word(p.schema)}`, p.description])));
  if (op.requestBody) for (const m of Object.values(op.requestBody.content)) part.append(shape(m.schema, "Body"));
  for (const [code, r] of Object.entries(op.responses)) {
    const media = Object.values(r.content || {})[0];
    part.append(media && code !== "default" ? shape(media.schema, `${code} ${r.description}`) : make("h4", `${code} ${r.description}`));
  }
  const data = op.requestBody ? " -d @body.json" : "";
  part.append(make("pre", `curl -k -X ${method} -H "Authorization: Bearer $RS_TOKEN"${data} ${location.origin}${path}`));
  return part;
};

const show = (wanted) => {
  const main = document.getElementById("routes");
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = new Map(api.tags.map((t) => [t.name, { about: t.description, list: [] }]));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, op] of Object.entries(methods)) {
      const text = `${method} ${path} ${op.summary} ${op.tags}`.toLowerCase();
      if (words.every((w) => text.includes(w))) groups.get(op.tags[0]).list.push([path, method.toUpperCase(), op]);
    }
  }
  const parts = [];
  for (const [name, g] of groups) {
    if (!g.list.length) continue;
    parts.push(make("h2", name), make("p", g.about || ""));
    for (const [path, method, op] of g.list) {
      const method_ = make("span", method);
      method_.className = "method";
      const d = make("details", "", make("summary", "", method_, make("code", path), op.summary));
      d.addEventListener("toggle", () => { if (d.open && d.childElementCount === 1) d.append(body(op, method, path)); });
      parts.push(d);
    }
  }
  main.replaceChildren(...(parts.length ? parts : [make("p", "Nothing is called that.")]));
};

const begin = async () => {
  try {
    api = await (await fetch("/swagger.json")).json();
  } catch (e) {
    document.getElementById("routes").textContent = `The description could not be read: ${e.message}. Load the page again.`;
    return;
  }
  document.getElementById("about").textContent = `${api.info.description} Version ${api.info.version}.`;
  const find = document.getElementById("find");
  find.addEventListener("input", () => show(find.value));
  show("");
};

begin();
