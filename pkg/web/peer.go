package web

import (
	"bufio"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A port of this machine can be reached by everybody on it. Who is on the other end
// of a connection is what the kernel's table of sockets says.

// connections is the kernel's table of IPv4 sockets.
const connections = "/proc/net/tcp"

// established is the state of a socket whose owner still has it open. One that was
// closed belongs to nobody, which the table shows as root.
const established = "01"

// looks is how often the table is read for a connection that is not in it: it is no
// picture of one moment, and where many come and go at once it may lack one that is there.
const looks = 3

// ownedBy reports whether the other end of a connection over loopback is held by one
// of the users.
func ownedBy(conn net.Conn, users ...int) bool {
	for range looks {
		if uid, found := owner(conn); found {
			return slices.Contains(users, uid)
		}
	}
	return false
}

// owner finds the user who holds the other end.
func owner(conn net.Conn) (uid int, found bool) {
	theirs, ok1 := conn.RemoteAddr().(*net.TCPAddr)
	ours, ok2 := conn.LocalAddr().(*net.TCPAddr)
	if !ok1 || !ok2 {
		return 0, false
	}
	file, err := os.Open(connections)
	if err != nil {
		return 0, false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f := strings.Fields(lines.Text()) // sl local_address rem_address st queues tr retrnsmt uid …
		if len(f) < 8 || f[3] != established || !is(f[1], theirs) || !is(f[2], ours) {
			continue
		}
		uid, err := strconv.Atoi(f[7])
		return uid, err == nil
	}
	return 0, false
}

// is reports whether an address of the table, as in 0100007F:1F90, is the other. Its
// bytes are in the machine's order, which on those that Vexa runs on is the smallest first.
func is(text string, addr *net.TCPAddr) bool {
	host, port, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || err2 != nil || len(raw) != net.IPv4len {
		return false
	}
	slices.Reverse(raw)
	ip, _ := netip.AddrFromSlice(raw)
	return ip == addr.AddrPort().Addr().Unmap() && int(n) == addr.Port
}
