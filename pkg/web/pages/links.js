// Where links of foreign text may lead: to http and https, in a page of its own, and to
// files of a workspace. Whatever else is a text that says what it was.

import { h } from "./dom.js";

// external returns an address of the web, or null.
export function external(href) {
  if (!/^https?:\/\//i.test(href)) return null;
  try {
    const u = new URL(href);
    return (u.protocol === "http:" || u.protocol === "https:") && u.username === "" && u.password === "" ? u : null;
  } catch {
    return null;
  }
}

// resolve finds the path in a workspace that a link in a file means, or null. Nothing
// leads out of the workspace.
export function resolve(base, href) {
  if (href === "" || href.startsWith("//") || href.includes("\\") || /^[a-z][a-z0-9+.-]*:/i.test(href.replace(/[\u0000-\u0020]/g, ""))) return null;
  let text = href.replace(/[?#].*$/s, "");
  try {
    text = decodeURIComponent(text);
  } catch { /* it is no escape */ }
  text = text.replace(/^\/workspace\//, "/"); // as an agent calls it
  const parts = text.startsWith("/") ? [] : base.split("/").slice(0, -1);
  for (const p of text.split("/")) {
    if (p === "" || p === ".") continue;
    if (p !== "..") parts.push(p);
    else if (parts.length > 0) parts.pop();
    else return null;
  }
  return parts.join("/");
}

// proposalAt is the page of a proposal.
export const proposalAt = (workspace, id) => `/proposals/${encodeURIComponent(workspace)}/${encodeURIComponent(id)}`;

// inWorkspace makes links of files lead to the reader of a workspace. Where it is known
// which files there are, pages are found by their names.
export function inWorkspace(name, base = "", rev = "", files = []) {
  const where = (href) => {
    if (href.startsWith("#") && base) return "#h-" + href.slice(1).toLowerCase();
    const to = resolve(base, href);
    if (to === null || to === "") return null;
    const fragment = /#(.+)$/s.exec(href);
    return `/workspaces/${encodeURIComponent(name)}?${new URLSearchParams(rev ? { path: to, rev } : { path: to })}${fragment ? "#h-" + encodeURIComponent(fragment[1].toLowerCase()) : ""}`;
  };
  let named;
  where.find = (file) => {
    named ??= called(files);
    const found = named(file), here = resolve(base, file.split("/").map(encodeURIComponent).join("/")) ?? "";
    if (found.length === 0 || found.includes(here)) return file;
    return "/workspace/" + (found.find((f) => f.toLowerCase() === here.toLowerCase()) ?? found[0]); // which resolve takes away
  };
  return where;
}

// called returns what finds files by their names, or by the end of their paths: the nearest
// to the top first. Capitals are as small letters.
export function called(files) {
  const last = (f) => f.slice(f.lastIndexOf("/") + 1).toLowerCase();
  const all = Map.groupBy(files, last);
  const depth = (f) => f.split("/").length;
  return (file) => (all.get(last(file)) ?? []).filter((f) => `/${f}`.toLowerCase().endsWith(`/${file}`.toLowerCase())).sort((a, b) => depth(a) - depth(b) || (a < b ? -1 : 1));
}

// page finds what [[name]] or [[name#heading]] means: a page beside the one it is in, or
// from the top, or else the one of this name. It is null where that is nowhere.
export function page(name, where) {
  const [file, ...rest] = name.split("#");
  const heading = rest.join("#").replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s+/g, "-");
  const path = file.trim();
  if (!where || external(path) || /^[a-z][a-z0-9+.-]*:/i.test(path) || (path === "" && heading === "")) return null;
  const whole = path === "" || path.endsWith("/") || /\.[a-z][a-z0-9]{0,4}$/i.test(path) ? path : path + ".md";
  const there = where.find?.(whole) ?? whole;
  return where(there.replace(/\p{Surrogate}/gu, "\ufffd").split("/").map(encodeURIComponent).join("/") + (heading && "#" + heading));
}

// anchor makes a link with what it shows. A link of the web says where it leads where its
// text does not.
export function anchor(inner, href, where, picture = false) {
  const label = picture ? ["picture: ", ...inner] : inner;
  const out = external(href);
  if (out) {
    const a = h("a", { href: out.href, target: "_blank", rel: "noopener noreferrer nofollow", title: out.href }, label);
    return a.textContent === href || a.textContent === out.href ? a : h("span", {}, a, h("span", { class: "host", text: ` (${out.host})` }));
  }
  const to = where?.(href) ?? null;
  if (to !== null) return h("a", { href: to }, label);
  return h("span", { class: "nolink", title: `not a link that is followed: ${href.slice(0, 200)}` }, label);
}
