// Package screentest gives a test a terminal: a real pseudo-terminal with a program
// on it, and a model of the screen that a person would see.
//
// [Start] starts the program. What it writes goes through the model, which answers
// the questions that programs ask of a terminal; what a person would do goes the
// other way by [Terminal.Send], [Terminal.Paste], [Terminal.Mouse] and
// [Terminal.Resize]. Nothing here sleeps: [Terminal.Wait] is woken whenever the
// program has written, and its duration is only when to call it a failure.
//
// What a program may do to a terminal beyond writing on it is kept apart, so that a
// test can tell who tried: [Terminal.Seen] has titles, the clipboard, bells and
// notifications, [Terminal.Raw] every byte, [Terminal.Unrestored] what a program
// that has ended left behind.
package screentest
