package harness

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The parts of linux/unix_diag.h that are asked for.
const (
	sockDiagByFamily = 20
	showName         = 0x1
	showPeer         = 0x4
	attrName         = 0
	attrPeer         = 2
)

// unixEnd is one end of a Unix socket as the kernel describes it.
type unixEnd struct {
	name string // the path it is bound to; empty for a client's end
	peer uint32 // inode of the other end; 0: not connected
}

// connectedTo lists the paths of the sockets that a process is connected to.
// /proc names a socket's own end only, so that the other comes from sock_diag.
func connectedTo(pid int) ([]string, error) {
	own, err := unixSockets(pid)
	if err != nil {
		return nil, err
	}
	all, err := unixEnds()
	if err != nil {
		return nil, err
	}
	var paths []string
	for inode := range own {
		end, ok := all[inode]
		if !ok || end.peer == 0 {
			continue
		}
		if peer := all[end.peer]; peer.name != "" {
			paths = append(paths, peer.name)
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// unixEnds asks the kernel for every Unix socket of this network namespace.
func unixEnds() (map[uint32]unixEnd, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // it was read from only

	// struct nlmsghdr, then struct unix_diag_req.
	req := make([]byte, 16+24)
	order := binary.NativeEndian
	order.PutUint32(req[0:], uint32(len(req)))
	order.PutUint16(req[4:], sockDiagByFamily)
	order.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	req[16] = unix.AF_UNIX
	order.PutUint32(req[20:], ^uint32(0)) // every state
	order.PutUint32(req[28:], showName|showPeer)
	if err := unix.Sendto(fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("ask sock_diag: %w", err)
	}

	ends := make(map[uint32]unixEnd)
	buf := make([]byte, 1<<18)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return nil, fmt.Errorf("read sock_diag: %w", err)
		}
		done, err := parseEnds(buf[:n], ends)
		if done || err != nil {
			return ends, err
		}
	}
}

// parseEnds reads one datagram of the answer, and whether it was the last.
func parseEnds(msg []byte, ends map[uint32]unixEnd) (bool, error) {
	order := binary.NativeEndian
	for len(msg) >= 16 {
		size := int(order.Uint32(msg))
		if size < 16 || size > len(msg) {
			return false, fmt.Errorf("sock_diag: a message of %d bytes in %d", size, len(msg))
		}
		switch order.Uint16(msg[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			return false, fmt.Errorf("sock_diag: error %d", int32(order.Uint32(msg[16:])))
		case sockDiagByFamily:
			// struct unix_diag_msg: four bytes, the inode, eight of cookie.
			if body := msg[16:size]; len(body) >= 16 {
				ends[order.Uint32(body[4:])] = parseAttrs(body[16:])
			}
		}
		msg = msg[min(align4(size), len(msg)):]
	}
	return false, nil
}

func parseAttrs(attrs []byte) unixEnd {
	order := binary.NativeEndian
	var end unixEnd
	for len(attrs) >= 4 {
		size := int(order.Uint16(attrs))
		if size < 4 || size > len(attrs) {
			break
		}
		value := attrs[4:size]
		switch order.Uint16(attrs[2:]) {
		case attrName:
			end.name = strings.TrimRight(string(value), "\x00")
		case attrPeer:
			if len(value) >= 4 {
				end.peer = order.Uint32(value)
			}
		}
		attrs = attrs[min(align4(size), len(attrs)):]
	}
	return end
}

func align4(n int) int { return (n + 3) &^ 3 }
