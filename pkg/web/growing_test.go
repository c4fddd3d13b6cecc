package web_test

import (
	"strings"
	"testing"
)

// A text that comes in pieces is shown as it is at its end: what is defined later is known
// to what came before, and what names nothing of it is not drawn again.
func TestTextThatGrows(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	const text = "# One\n\nSee [the weir][w][^1].\n\nPlain.\n\n- a [weir]\n- b\n\n[w]: weir.md\n\nMore.\n\n[^1]: A note of [weir].\n\n[weir]: other.md\n\nEnd."
	var got struct {
		Whole, Grown string
		Same         []bool // of the blocks, when the first definition came: whether each is the node that it was
		Kept         []bool // when a word came at the end
		Marks        int
	}
	eval(t, b, `import("/assets/markdown.js").then(({Document, render}) => {
		const text = `+quote(text)+`, where = h => "/" + h;
		const shape = el => { const c = el.cloneNode(true); for (const e of c.querySelectorAll("[id^=note-], [href^='#note-']")) { if (e.id) e.id = "note"; else e.setAttribute("href", "#note"); } return new XMLSerializer().serializeToString(c); };
		const pieces = new Document(where);
		for (let n = 1; n <= text.length; n++) pieces.update(text.slice(0, n));
		const defined = new Document(where), at = text.indexOf("\n\n[w]:");
		defined.update(text.slice(0, at));
		const before = [...defined.el.childNodes];
		defined.update(text.slice(0, text.indexOf("\n\nMore")));
		const same = before.map((n, i) => defined.el.childNodes[i] === n);
		defined.update(text);
		const now = [...defined.el.childNodes];
		defined.update(text + " Now.");
		return {whole: shape(render(text, where)), grown: shape(pieces.el), same, kept: now.map((n, i) => defined.el.childNodes[i] === n), marks: pieces.el.querySelectorAll("a[href='/weir.md'], a[href='/other.md'], sup a").length};
	})`, &got)
	if got.Grown != got.Whole || got.Marks != 4 {
		t.Errorf("in pieces it is\n%s\nas a whole\n%s\nwith %d links", got.Grown, got.Whole, got.Marks)
	}
	if want := []bool{true, false, true, true}; len(got.Same) != 4 || got.Same[0] != want[0] || got.Same[1] != want[1] || got.Same[2] != want[2] || got.Same[3] != want[3] {
		t.Errorf("a definition came, and the blocks are the same: %v, want %v", got.Same, want)
	}
	for i, same := range got.Kept {
		if last := i == len(got.Kept)-2; same == last { // the notes stand behind the last block
			t.Errorf("a word came at the end, and the blocks are the same: %v", got.Kept)
		}
	}
}

// A note is gone to and come back from by its links, and the ids of one text are not another's.
func TestNotes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	var got struct {
		There, Back string
		Apart       bool
	}
	eval(t, b, `import("/assets/markdown.js").then(async ({render}) => {
		const [one, two] = [0, 1].map(() => render("a[^1]\n\n[^1]: x", null));
		document.querySelector("main").append(one, two);
		const links = [one, two].map(d => d.querySelector("sup a"));
		links[1].click();
		await new Promise(r => setTimeout(r, 100));
		const there = document.querySelector(":target")?.textContent ?? "";
		two.querySelector(".note button").click();
		return {there, back: document.activeElement === links[1] ? "back" : document.activeElement.outerHTML, apart: links[0].hash !== links[1].hash};
	})`, &got)
	if !strings.Contains(got.There, "x") || got.Back != "back" || !got.Apart {
		t.Errorf("%+v", got)
	}
}
