package screentest

import (
	"errors"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// openPTY opens a pseudo-terminal: master is the terminal's end, slave the program's.
func openPTY(cols, rows int) (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	var n int
	err = control(master, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	if err == nil {
		err = setSize(master, cols, rows)
	}
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

// control runs do on the file's descriptor, which stays one that does not block.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var derr error
	return errors.Join(conn.Control(func(fd uintptr) { derr = do(int(fd)) }), derr)
}

// setSize says how large the terminal is. The kernel tells its foreground programs.
func setSize(f *os.File, cols, rows int) error {
	return control(f, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(cols), Row: uint16(rows)})
	})
}

// lineMode is how the kernel treats what is typed: echo, lines, signals.
func lineMode(f *os.File) (mode unix.Termios, err error) {
	err = control(f, func(fd int) error {
		now, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			mode = *now
		}
		return err
	})
	return mode, err
}

// readAll waits until there is something to read, and returns all that there is up
// to limit bytes, so that what was written at once is seldom seen in halves. It is
// io.EOF once no process holds the other end.
func readAll(f *os.File, limit int) ([]byte, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var got []byte
	var rerr error
	err = conn.Read(func(fd uintptr) bool {
		chunk := make([]byte, 64<<10)
		for len(got) < limit {
			n, err := unix.Read(int(fd), chunk)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil || n == 0 {
				rerr = err
				if err == nil {
					rerr = io.EOF
				}
				break
			}
			got = append(got, chunk[:n]...)
		}
		return len(got) > 0 || !errors.Is(rerr, unix.EAGAIN)
	})
	switch {
	case len(got) > 0:
		return got, nil
	case err != nil:
		return nil, err
	case errors.Is(rerr, unix.EIO): // Linux says so where the last holder has closed
		return nil, io.EOF
	default:
		return nil, rerr
	}
}
