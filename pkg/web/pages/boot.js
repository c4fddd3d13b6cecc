// The beginning: what the page itself holds is drawn before the modules are loaded and
// run, so that there is a first frame at once. A page that nobody looks at draws none. A
// module runs once, however often it is asked for.

const begin = () => import("./main.js");

requestAnimationFrame(() => setTimeout(begin));
setTimeout(begin, 200);
