package web_test

import "testing"

// What a block of code says of its language is beside no other text: not the line above it
// in a list, where there is no gap, nor the code.
func TestLanguageCoversNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	var covered []string
	eval(t, b, `import("/assets/markdown.js").then(({render}) => {
		const el = render("- First say this:\n  `+"```"+`javascript\n  let x = 1;\n  `+"```"+`\n- and\n\nText\n`+"```"+`go\nx := 1\n`+"```"+`\n", null);
		document.querySelector("main").prepend(el);
		const out = [], labels = [...el.querySelectorAll(".lang")];
		if (labels.length !== 2) out.push(labels.length + " labels");
		const walk = document.createTreeWalker(el, NodeFilter.SHOW_TEXT);
		for (let n; (n = walk.nextNode());) {
			if (n.data.trim() === "" || n.parentElement.closest(".lang, .copy")) continue;
			const r = document.createRange();
			r.selectNodeContents(n);
			const a = r.getBoundingClientRect();
			for (const l of labels) {
				const c = l.getBoundingClientRect();
				if (a.top < c.bottom - 1 && c.top < a.bottom - 1 && a.left < c.right && c.left < a.right) out.push(l.textContent + " on " + n.data);
			}
		}
		return out;
	})`, &covered)
	if len(covered) > 0 {
		t.Errorf("the label lies %q", covered)
	}
}
