package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"drp/server/app"
	"drp/server/backup"
	"drp/server/keyring"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// command is what drp-server does besides serving.
type command struct {
	help  string
	flags func(*pflag.FlagSet)
	do    func(ctx context.Context, c *call) error
}

// call is one use of a command.
type call struct {
	flags *pflag.FlagSet
	root  string // the base root
	key   string // the file of the server's keys
	args  []string
	tell  backup.Progress
}

var commands = map[string]command{
	"backup": {`Copies the data of a server into one new file: the database as it is at one moment, the logs of
jobs, the certificate, the files that machines boot from. The server may run or not; run this on its
machine, as its user. The copy is checked before it is called good.

The file is a tar archive and holds every secret of the server: keep it as you keep those. With
--without-key it lacks secret.key, and nobody can read the values of secure params from it; then
keep a copy of that file apart, for without it you cannot either. A key file that --secret-key of
the server names elsewhere is never part of a backup.

Usage:
  drp-server backup FILE [options]      FILE - is the standard output

Examples:
  drp-server backup /backup/drp-$(date +%F).tar
  drp-server backup /backup/drp.tar --base-root ./data --without-files
  drp-server backup - | age -r age1… > drp.tar.age
`, func(f *pflag.FlagSet) {
		f.Bool("without-files", false, "leave out the folder tftpboot: boot files, uploads, ISOs")
		f.Bool("without-key", false, "leave out secret.key, which the secure params are sealed with")
	}, doBackup},

	"restore": {`Puts a backup in place, with the server stopped. The backup is unpacked and checked before anything
is touched; when the restore is interrupted no server starts on the folder before it is repeated.

Usage:
  drp-server restore FILE [options]     FILE - is the standard input

Examples:
  drp-server restore /backup/drp.tar --base-root /var/lib/drp
  drp-server restore /backup/drp.tar --base-root ./data --force
  age -d -i key drp.tar.age | drp-server restore - --base-root ./data
`, func(f *pflag.FlagSet) {
		f.Bool("force", false, "restore into a folder that is not empty; what is there is put aside within it")
	}, doRestore},

	"rotate-key": {`Adds a new key to the file that the secure params of a server are sealed with (secret.key in the
base root, or the one that --secret-key names). The server may run or not. It seals with the new
key from its next start on, or from SIGHUP, and then seals anew what older keys have sealed, while
it serves. Keys of the past stay in the file: older backups and history need them. So whenever this
is interrupted nothing is lost; copy the new file to where you keep one apart.

It does not make secrets new that somebody has read: where a key has leaked together with the data,
set new values too.

Usage:
  drp-server rotate-key [options]

Examples:
  drp-server rotate-key --base-root /var/lib/drp && systemctl reload drp-server
  drp-server rotate-key --secret-key /etc/drp/secret.key
`, func(f *pflag.FlagSet) {
		f.String("secret-key", "", "the file (RS_SECRET_KEY; default secret.key in the base root)")
	}, doRotateKey},

	"check": {`Looks for damage: in the data of a server, running or not, or in a backup. It reads the database with
SQLite's own check, decodes and validates every object, and takes the whole history back, patch by
patch, from the newest state to the oldest that is kept. It changes nothing, names each problem,
and ends with status 1 if there are any.

Usage:
  drp-server check [FILE] [options]     FILE - is the standard input

Examples:
  drp-server check --base-root /var/lib/drp
  drp-server check /backup/drp.tar
`, func(*pflag.FlagSet) {}, doCheck},
}

// run reads the options and does the command. SIGTERM and SIGINT end it, with nothing half done.
func (c command) run(name string, args []string) error {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	root := flags.String("base-root", "", "folder that holds all data (RS_BASE_ROOT; default /var/lib/drp)")
	config := flags.String("config", "", "configuration file of the server, for its base-root")
	c.flags(flags)
	err := flags.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Print(c.help + "\nOptions:\n" + flags.FlagUsages())
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; see drp-server %s --help", err, name)
	}
	all := app.FlagSet(app.Flags()) // as the server would read them
	for option, value := range map[string]string{"base-root": *root, "config": *config} {
		if value == "" {
			continue
		}
		if err := all.Set(option, value); err != nil {
			return err
		}
	}
	if f := flags.Lookup("secret-key"); f != nil && f.Changed {
		if err := all.Set(f.Name, f.Value.String()); err != nil {
			return err
		}
	}
	cfg, err := app.Load(all, os.Environ())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	p := &progress{on: term.IsTerminal(int(os.Stderr.Fd()))}
	defer p.clear()
	return c.do(ctx, &call{flags: flags, root: cfg.BaseRoot, key: cfg.KeyFile(), args: flags.Args(), tell: p.tell})
}

// progress is a line on a terminal that says how far something long is.
type progress struct {
	on    bool
	shown time.Time
	doing string
}

func (p *progress) tell(doing string, done, total int64) {
	if !p.on || doing == p.doing && time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown, p.doing = time.Now(), doing
	switch {
	case total > 0:
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s: %d of %d", doing, done, total)
	case done > 0:
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s: %s", doing, size(done))
	default:
		fmt.Fprintf(os.Stderr, "\r\x1b[K%s", doing)
	}
}

func (p *progress) clear() {
	if p.doing != "" {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
		p.doing = ""
	}
}

func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", (n+1023)>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// file is the one argument of a command.
func (c *call) file() (string, error) {
	switch len(c.args) {
	case 0:
		return "", fmt.Errorf("name a file; see drp-server %s --help", c.flags.Name())
	case 1:
		return c.args[0], nil
	}
	return "", fmt.Errorf("unexpected argument %q; see drp-server %s --help", c.args[1], c.flags.Name())
}

func doBackup(ctx context.Context, c *call) error {
	name, err := c.file()
	if err != nil {
		return err
	}
	o := backup.Options{Server: app.Version, Tell: c.tell}
	if left, _ := c.flags.GetBool("without-files"); left {
		o.Without = []string{"tftpboot"}
	}
	apart, _ := c.flags.GetBool("without-key")
	if apart {
		o.Without = append(o.Without, keyring.FileName)
	}
	var m *backup.Manifest
	if name == "-" {
		m, err = toOutput(ctx, c.root, o)
	} else {
		m, err = backup.ToFile(ctx, c.root, name, o)
	}
	if err != nil && m != nil {
		return fmt.Errorf("the backup is written, but the data itself is damaged: %w", err)
	}
	if err != nil {
		return err
	}
	var total int64
	for _, f := range m.Files {
		total += f.Size
	}
	c.say("revision %d, %d files, %s: %s", m.Revision, len(m.Files), size(total), name)
	if apart || c.key != filepath.Join(c.root, keyring.FileName) {
		c.say("not in it, and needed with it: %s; keep a copy of that file apart", c.key)
	}
	return nil
}

func toOutput(ctx context.Context, root string, o backup.Options) (*backup.Manifest, error) {
	if term.IsTerminal(int(os.Stdout.Fd())) {
		return nil, errors.New("a backup is not for terminals: redirect the output, or name a file")
	}
	scratch, err := os.MkdirTemp("", "drp-backup-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	return backup.Write(ctx, root, os.Stdout, scratch, o)
}

// say prints a line for people; the output may be a backup.
func (c *call) say(format string, args ...any) {
	c.tell("", 0, 0)
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func doRestore(ctx context.Context, c *call) error {
	name, err := c.file()
	if err != nil {
		return err
	}
	in := io.ReadCloser(os.Stdin)
	if name != "-" {
		if in, err = os.Open(name); err != nil {
			return err
		}
		defer in.Close()
	}
	force, _ := c.flags.GetBool("force")
	m, old, err := backup.Restore(ctx, in, c.root, force, c.tell)
	var damaged backup.Problems
	if errors.As(err, &damaged) {
		return fmt.Errorf("nothing was restored, for the backup is damaged (it is a tar archive, should you want to save parts of it by hand): %w", err)
	}
	if err != nil {
		return err
	}
	c.say("revision %d of %s is restored to %s", m.Revision, m.Made.Local().Format(time.DateTime), c.root)
	if _, err := os.Stat(c.key); errors.Is(err, fs.ErrNotExist) {
		c.say("the backup lacks %s: where it holds secure params, put the copy that you keep apart in place before the server starts", c.key)
	}
	if old != "" {
		c.say("what was there is in %s; delete it when you no longer need it", filepath.Base(old))
	}
	return nil
}

func doRotateKey(_ context.Context, c *call) error {
	if len(c.args) > 0 {
		return fmt.Errorf("unexpected argument %q; see drp-server %s --help", c.args[0], c.flags.Name())
	}
	if _, err := os.Stat(c.key); err != nil {
		return fmt.Errorf("there is no key to replace: %w; the server makes the file at its first start", err)
	}
	id, err := keyring.Rotate(c.key)
	if err != nil {
		return err
	}
	c.say("the key %s is added to %s; the server uses it from its next start on, or from SIGHUP", id, c.key)
	return nil
}

func doCheck(ctx context.Context, c *call) error {
	what := c.root
	var report *backup.Report
	var err error
	switch {
	case len(c.args) == 0:
		report, err = backup.CheckRoot(ctx, c.root, c.tell)
	case c.args[0] == "-":
		what = "the standard input"
		report, err = backup.Check(ctx, os.Stdin, c.tell)
	default:
		if what, err = c.file(); err == nil {
			report, err = backup.CheckFile(ctx, what, c.tell)
		}
	}
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return fmt.Errorf("%s: %w", what, report.Problems)
	}
	c.say("%s: revision %d, no problems", what, report.Revision)
	return nil
}
