package dir

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// What nobody wrote to for a day in tempDir belongs to nobody: who made it was
// killed. Age is told by the clock that stamps the files, which all machines
// that share the directory have in common. A lock would tell sooner, but not on
// a share whose locks each machine keeps to itself.
const (
	staleAfter = 24 * time.Hour
	sweepEvery = time.Hour
	sweepMost  = 10_000 // entries looked at in one sweep
)

// tempName is the length of the names in tempDir, those of rand.Text.
const tempName = 26

// sweep removes what is stale in tempDir, unless that was done within the hour.
// What it cannot remove stays. The file fresh was just made.
func (s *Store) sweep(fresh *os.File) {
	var st unix.Stat_t
	if err := unix.Fstat(int(fresh.Fd()), &st); err != nil {
		return
	}
	now, last := st.Mtim.Sec, s.swept.Load()
	if last != 0 && now-last < int64(sweepEvery.Seconds()) && now >= last || !s.swept.CompareAndSwap(last, now) {
		return
	}
	dir, err := s.root.open(tempDir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	sweepDir(dir, now-int64(staleAfter.Seconds()))
}

// sweepDir removes from an open directory, which it closes, the files that were
// last written to before a time, and the directories of a Probe, which hold files
// only.
func sweepDir(dir int, before int64) {
	f := os.NewFile(uintptr(dir), tempDir)
	defer f.Close()
	for seen := 0; seen < sweepMost; {
		names, err := f.Readdirnames(1000)
		seen += len(names)
		for _, name := range names {
			var st unix.Stat_t
			if len(name) != tempName || unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mtim.Sec >= before {
				continue
			}
			switch st.Mode & unix.S_IFMT {
			case unix.S_IFREG:
				_ = unix.Unlinkat(dir, name, 0)
			case unix.S_IFDIR:
				if below, err := openAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY); err == nil {
					sweepDir(below, before)
				}
				_ = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
			}
		}
		if err != nil {
			return // io.EOF at best
		}
	}
}
