// Attack is a hostile agent: it runs in a container and does what an agent must
// not get anything by. What it did and found it prints.
//
//	attack search              look for canaries and tokens in every byte that can be read
//	attack signal NAME...      signal process 1
//	attack fetch URL-PATH      ask the broker for a path with our token, and print the status
//	attack speak forge         report a frame that is the host's alone, on the broker's socket
//	attack speak strangers     report frames of turns that are not ours, then end
//	attack speak gap           report frames out of order
//	attack speak flood SIZE    report frames of SIZE bytes until the broker hangs up
//	attack speak end FILE      report the end of our turn, then write FILE for ever
//	attack hold N              hold N half-open connections until they are cut
//	attack huge                send requests that are too large
//	attack linger FILE         leave a process behind that writes FILE for ever
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stdout, "attack:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	command := strings.Join(args[:min(2, len(args))], " ")
	switch {
	case command == "search":
		return search()
	case len(args) >= 2 && args[0] == "signal":
		return signal(args[1:])
	case len(args) == 2 && args[0] == "fetch":
		return fetch(ctx, args[1])
	case len(args) >= 2 && args[0] == "speak":
		return speak(ctx, args[1], args[2:])
	case len(args) == 2 && args[0] == "hold":
		n, err := strconv.Atoi(args[1])
		return errors.Join(err, hold(ctx, n))
	case command == "huge":
		return huge(ctx)
	case len(args) == 2 && args[0] == "linger":
		return linger(args[1])
	case len(args) == 2 && args[0] == "write":
		return write(args[1])
	default:
		return fmt.Errorf("unknown attack %q", args)
	}
}

func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

// signal signals process 1. A signal that ends it ends everything here too, so
// that each is said before it is sent.
func signal(list []string) error {
	for _, name := range list {
		sig := unix.SignalNum("SIG" + name)
		if sig == 0 {
			return fmt.Errorf("no signal %s", name)
		}
		say("sending %s", name)
		if err := unix.Kill(1, sig); err != nil {
			return err
		}
		time.Sleep(300 * time.Millisecond) // as long as it has to end in
		if err := unix.Kill(1, 0); err != nil {
			return err
		}
		say("survived %s", name)
	}
	return nil
}

// linger leaves a process behind, in a session of its own and deaf to signals.
func linger(file string) error {
	cmd := exec.Command("/proc/self/exe", "write", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if data, err := os.ReadFile(file); err == nil && len(data) > 0 {
			say("%d writes on", cmd.Process.Pid)
			return nil
		}
		if time.Now().After(end) {
			return errors.New("it does not write")
		}
	}
}

// write writes to a file for ever, each time more.
func write(file string) error {
	ignore()
	for n := 0; ; n++ {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) // never empty in between, as one that is truncated
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(f, "late %d\n", n)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
