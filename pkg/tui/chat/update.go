package chat

import (
	tea "charm.land/bubbletea/v2"
)

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	before, at := m.editor.Shown()
	link, notice := m.link, m.notice
	cmd := m.take(msg)
	m.watch(before, at)
	if m.happens != nil && (!asks(msg) || m.link != link || m.notice != notice) {
		m.happens()
	}
	if look := tea.Batch(m.read(), m.locate()); look != nil {
		cmd = tea.Batch(cmd, look)
	}
	return m, cmd
}

// asks reports whether a message is of those that come each second while the daemon is not as
// it should be, and mostly bring nothing new.
func asks(msg tea.Msg) bool {
	switch msg.(type) {
	case checkMsg, statusMsg:
		return true
	}
	return false
}

func (m *Model) take(msg tea.Msg) tea.Cmd {
	if cmd, ok := m.input(msg); ok {
		return cmd
	}
	if cmd, ok := m.fromDaemon(msg); ok {
		return cmd
	}
	return m.other(msg)
}

// input takes what the person and the terminal do.
func (m *Model) input(msg tea.Msg) (tea.Cmd, bool) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = max(msg.Width, 1), max(msg.Height, 1)
		if m.over != nil {
			return m.overUpdate(msg), true
		}
		return nil, true
	case tea.KeyPressMsg:
		return m.press(msg), true
	case tea.PasteMsg:
		return m.paste(msg), true
	case tea.MouseWheelMsg:
		return m.wheel(msg), true
	case tea.MouseClickMsg:
		return m.click(msg), true
	case tea.FocusMsg:
		return tea.Batch(m.refresh(), m.catchUp(m.current())), true
	case tea.ModeReportMsg:
		m.measured(msg)
		return nil, true
	case tea.BackgroundColorMsg:
		m.background(msg.IsDark())
		return nil, true
	}
	return nil, false
}

// fromDaemon takes what the daemon says.
func (m *Model) fromDaemon(msg tea.Msg) (tea.Cmd, bool) {
	switch msg := msg.(type) {
	case batchMsg:
		return m.batch(msg), true
	case followAgainMsg:
		return m.followAgain(msg), true
	case startedMsg:
		return m.started(msg), true
	case retryMsg:
		return m.retry(msg), true
	case stoppedMsg:
		return m.stopped(msg), true
	case dispatchMsg:
		m.looked(msg)
		return nil, true
	case missedMsg:
		return m.missed(msg), true
	case unitsMsg:
		return m.resumed(msg), true
	case statusMsg:
		return m.checked(msg), true
	case checkMsg:
		return m.check(), true
	case learnedMsg:
		return m.learned(msg), true
	case sessionsMsg:
		return m.listed(msg), true
	case retitledMsg:
		return m.retitled(msg), true
	case patchMsg:
		return m.patched(msg), true
	case undoneMsg:
		return m.undone(msg), true
	case proposalMsg:
		return m.proposed(msg), true
	case decidedMsg:
		return m.decided(msg), true
	case takenBackMsg:
		m.tookBack(msg)
		return nil, true
	case broughtMsg:
		return m.wasRead(msg), true
	case offeredMsg:
		return m.offers(msg), true
	}
	return nil, false
}

// other takes what comes of the model itself.
func (m *Model) other(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tickMsg:
		return m.ticked()
	case armedMsg:
		m.arm(msg)
	case expiredMsg:
		if m.notice != nil && m.notice.id == int(msg) {
			m.notice = nil
		}
	case NoticeMsg:
		return m.tell(string(msg))
	case locatedMsg:
		m.located(msg)
	case attachedMsg:
		return m.attached(msg)
	case editedMsg:
		return m.edited(msg)
	case setUpMsg:
		return m.setUp(msg)
	case unlockedMsg:
		return m.unlocked(msg)
	default:
		if m.over != nil {
			return m.overUpdate(msg)
		}
	}
	return nil
}
