package screentest

import (
	"errors"
	"fmt"

	"github.com/charmbracelet/x/ansi"
)

// Mouse does something with the mouse over column x of line y, counted from 0:
// "click", "right-click", "press", "release", "drag", "move", "wheel-up" or
// "wheel-down". It fails where the program has not asked to be told of it.
func (t *Terminal) Mouse(action string, x, y int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	reports, err := t.model.pointer(action, x, y)
	if err != nil {
		return err
	}
	t.keys.put(reports)
	return nil
}

// event is one report of the mouse.
type event struct {
	button          ansi.MouseButton
	motion, release bool
	least           int // the least mode in which it is reported
}

func events(action string) []event {
	press, release := event{button: ansi.MouseLeft, least: 9}, event{button: ansi.MouseLeft, release: true, least: 1000}
	switch action {
	case "click":
		return []event{press, release}
	case "right-click":
		return []event{{button: ansi.MouseRight, least: 9}, {button: ansi.MouseRight, release: true, least: 1000}}
	case "press":
		return []event{press}
	case "release":
		return []event{release}
	case "drag":
		return []event{{button: ansi.MouseLeft, motion: true, least: 1002}}
	case "move":
		return []event{{button: ansi.MouseNone, motion: true, least: 1003}}
	case "wheel-up":
		return []event{{button: ansi.MouseWheelUp, least: 1000}}
	case "wheel-down":
		return []event{{button: ansi.MouseWheelDown, least: 1000}}
	default:
		return nil
	}
}

func (m *model) pointer(action string, x, y int) ([]byte, error) {
	list := events(action)
	if list == nil {
		return nil, fmt.Errorf("the mouse cannot %q", action)
	}
	if x < 0 || y < 0 || x >= m.cols || y >= m.rows {
		return nil, fmt.Errorf("%d, %d is not on a screen of %d×%d", x, y, m.cols, m.rows)
	}
	mode := m.mouse()
	if mode < list[0].least {
		return nil, fmt.Errorf("the program has not asked to be told of a %s", action)
	}
	if !m.modes[1006] && (x > 222 || y > 222) {
		return nil, errors.New("without SGR reports the mouse ends at column and line 222")
	}
	var out []byte
	for _, e := range list {
		if mode < e.least {
			continue
		}
		code := ansi.EncodeMouseButton(e.button, e.motion, false, false, false)
		if m.modes[1006] {
			out = append(out, ansi.MouseSgr(code, x, y, e.release)...)
			continue
		}
		if e.release {
			code = code&^3 | 3
		}
		out = append(out, ansi.MouseX10(code, x, y)...)
	}
	return out, nil
}
