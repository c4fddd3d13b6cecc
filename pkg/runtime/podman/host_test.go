package podman_test

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
	"github.com/vexa-ai/vexa/pkg/runtime/podman"
)

func TestWhatTheMachineCanDo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		info     string
		rootful  bool
		kind     fault.Kind
		runtime  string
		enforced []string
	}{
		"hybrid control groups": {
			info:    `{"host":{"cgroupVersion":"v1","cgroupControllers":["cpu","memory","pids"],"security":{"rootless":true,"seccompEnabled":true},"ociRuntime":{"name":"crun"}}}`,
			runtime: "runc",
		},
		"version 2, all delegated": {
			info:     `{"host":{"cgroupVersion":"v2","cgroupControllers":["cpu","io","memory","pids"],"security":{"rootless":true,"seccompEnabled":true}}}`,
			enforced: []string{"cpu", "memory", "pids"},
		},
		"version 2, some delegated": {
			info:     `{"host":{"cgroupVersion":"v2","cgroupControllers":["memory","pids"],"security":{"rootless":true,"seccompEnabled":true}}}`,
			enforced: []string{"memory", "pids"},
		},
		"rootful": {
			info: `{"host":{"cgroupVersion":"v2","security":{"rootless":false,"seccompEnabled":true}}}`, kind: fault.Denied,
		},
		"rootful by name": {
			info: `{"host":{"cgroupVersion":"v2","security":{"rootless":false,"seccompEnabled":true}}}`, rootful: true,
		},
		"no seccomp": {
			info: `{"host":{"cgroupVersion":"v2","security":{"rootless":true,"seccompEnabled":false}}}`, kind: fault.Denied,
		},
		"an empty answer": {info: `{}`, kind: fault.Denied},
	} {
		got, enforced, missing, err := podman.Study([]byte(test.info), test.rootful)
		if test.kind != "" {
			if !fault.Is(err, test.kind) || fault.HintOf(err) == "" {
				t.Errorf("%s: got %v, want %s with a hint", name, err, test.kind)
			}
			continue
		}
		if err != nil || got != test.runtime || !slices.Equal(enforced, test.enforced) || len(enforced)+len(missing) != 3 {
			t.Errorf("%s: runtime %q, enforced %v, missing %v, %v", name, got, enforced, missing, err)
		}
	}
}

// TestNothingWeakensTheBoundary: whatever a container asks for, the body of the
// request holds the boundary.
func TestNothingWeakensTheBoundary(t *testing.T) {
	t.Parallel()
	body, err := (&podman.Driver{}).BareSpec(runtime.Container{
		Name: "n", Image: "i", Argv: []string{"a"}, Env: map[string]string{"HTTP_PROXY": "x"}, Mounts: []runtime.Bind{{Source: "/s", Target: "/t"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"user": `"1000:1000"`, "userns": `{"nsmode":"keep-id","value":"uid=1000,gid=1000"}`, "netns": `{"nsmode":"none"}`,
		"ipcns": `{"nsmode":"none"}`, "pidns": `{"nsmode":"private"}`, "utsns": `{"nsmode":"private"}`, "cap_drop": `["all"]`, "cap_add": `[]`,
		"no_new_privileges": `true`, "oom_score_adj": `500`, "mask": `["/proc/pressure","/sys/devices/virtual/powercap"]`, "read_only_filesystem": `true`, "read_write_tmpfs": `false`, "privileged": `false`,
		"httpproxy": `false`, "env_host": `false`, "log_configuration": `{"driver":"none"}`, "image_volume_mode": `"ignore"`,
		"healthconfig": `{"Test":["NONE"]}`, "restart_policy": `"no"`, "systemd": `"false"`, "init": `false`, "stdin": `false`, "terminal": `false`,
	} {
		data, err := json.Marshal(got[name])
		if err != nil || string(data) != want {
			t.Errorf("%s: got %s, want %s", name, data, want)
		}
	}
	for _, name := range []string{"devices", "volumes", "portmappings", "hostadd", "pod", "rootfs", "annotations", "unmask", "secrets"} {
		if _, ok := got[name]; ok {
			t.Errorf("%s is asked for", name)
		}
	}
}

// TestSeccompProfile guards the list against a slip of the editor.
func TestSeccompProfile(t *testing.T) {
	t.Parallel()
	var p struct {
		DefaultAction string `json:"defaultAction"`
		Syscalls      []struct {
			Names  []string `json:"names"`
			Action string   `json:"action"`
			Args   []any    `json:"args"`
		} `json:"syscalls"`
	}
	if err := json.Unmarshal(podman.SeccompProfile(), &p); err != nil {
		t.Fatal(err)
	}
	if p.DefaultAction != "SCMP_ACT_ERRNO" {
		t.Errorf("by default a call is %s", p.DefaultAction)
	}
	allowed := map[string]bool{}
	for _, rule := range p.Syscalls {
		for _, name := range rule.Names {
			if rule.Action == "SCMP_ACT_ALLOW" && len(rule.Args) == 0 {
				allowed[name] = true
			}
		}
	}
	for name := range strings.FieldsSeq(`clone clone3 unshare setns keyctl add_key request_key bpf io_uring_setup io_uring_enter io_uring_register
		ptrace process_vm_readv process_vm_writev pidfd_getfd mount umount umount2 move_mount open_tree fsopen fsmount fsconfig fspick mount_setattr
		pivot_root chroot userfaultfd perf_event_open open_by_handle_at kexec_load init_module finit_module delete_module reboot syslog swapon
		quotactl acct socket personality iopl ioperm settimeofday clock_settime sethostname`) {
		if allowed[name] {
			t.Errorf("%s is allowed", name)
		}
	}
	for name := range strings.FieldsSeq(`read write openat execve fork vfork wait4 futex mmap mprotect epoll_wait connect sendmsg recvmsg kill pidfd_open rseq`) {
		if !allowed[name] {
			t.Errorf("%s is not allowed", name)
		}
	}
}

func TestABodyIsSentOnce(t *testing.T) {
	t.Parallel()
	body := podman.Once(strings.NewReader("image"))
	if data, err := io.ReadAll(body); err != nil || string(data) != "image" {
		t.Fatalf("first: %q, %v", data, err)
	}
	if data, err := io.ReadAll(body); err == nil {
		t.Errorf("a second sending is %q and no error: an empty image under a good name", data)
	}
}

func TestTheServiceTalksToNobody(t *testing.T) {
	t.Parallel()
	got := podman.CleanEnviron([]string{
		"HOME=/h", "http_proxy=x", "HTTPS_PROXY=x", "CONTAINER_HOST=x", "DOCKER_HOST=x", "NOTIFY_SOCKET=x", "LISTEN_FDS=1", "PATH=/bin", "XDG_RUNTIME_DIR=/run",
	})
	if want := []string{"HOME=/h", "PATH=/bin", "XDG_RUNTIME_DIR=/run"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
