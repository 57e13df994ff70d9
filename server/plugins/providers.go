package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"drp/models"
	"drp/server/objects"
)

// maxProgram bounds the program of a provider, in bytes.
const maxProgram = 512 << 20

// mayRun refuses those who may not have programs run here.
func (s *Service) mayRun(a objects.Actor) error {
	if !s.cfg.Uploads {
		return models.Problem(models.Forbidden, "plugin_providers", "", "uploads of plugin providers are switched off (--plugin-uploads of the server)")
	}
	if !a.Unlimited() {
		return models.Problem(models.Forbidden, "", "", "Requires: * * *", "the program of a plugin provider runs with the rights of the server").Typed("AUTH")
	}
	return nil
}

// Upload takes the program of a provider, in the place of the one of that name. It is asked what it
// is and has its files unpacked before anything changes; on any error all is as it was.
func (s *Service) Upload(ctx context.Context, name string, program io.Reader, replaceWritable bool) (models.PluginProviderUpload, error) {
	done := models.PluginProviderUpload{Path: name}
	if err := s.mayRun(objects.ActorOf(ctx)); err != nil {
		return done, err
	}
	if bad := (&models.PluginProvider{Name: name}).Validate(); len(bad) > 0 {
		return done, models.Problem(models.Invalid, "plugin_providers", name, bad...).Typed("ValidationError")
	}
	temp, size, err := s.receive(program)
	if err != nil {
		return done, err
	}
	defer os.Remove(temp)
	s.loading.Lock()
	defer s.loading.Unlock()
	if err := s.install(ctx, name, temp, replaceWritable); err != nil {
		return done, err
	}
	done.Size = size
	return done, nil
}

// receive stores a program under a name that is not one of a provider.
func (s *Service) receive(program io.Reader) (file string, size int64, err error) {
	f, err := os.CreateTemp(s.cfg.Dir, ".upload-") // 0600
	if err != nil {
		return "", 0, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	size, err = io.Copy(f, io.LimitReader(program, maxProgram+1))
	switch {
	case err != nil:
		return "", 0, err
	case size > maxProgram:
		return "", 0, models.Problem(models.TooLarge, "plugin_providers", "", fmt.Sprintf("the program is larger than %d MiB", maxProgram>>20))
	case size == 0:
		return "", 0, models.Problem(models.BadRequest, "plugin_providers", "", "the body is empty: it must be the program of the provider")
	}
	if err := f.Chmod(0o700); err != nil {
		return "", 0, err
	}
	return f.Name(), size, f.Sync()
}

// install makes a program that was received that of a provider.
func (s *Service) install(ctx context.Context, name, temp string, replaceWritable bool) error {
	p, err := s.define(ctx, name, temp)
	if err != nil {
		return err
	}
	unpacked, err := s.unpack(ctx, name, temp)
	if err != nil {
		return err
	}
	defer os.RemoveAll(unpacked)
	final := filepath.Join(s.cfg.Dir, name)
	before := filepath.Join(s.cfg.Dir, ".before-"+name)
	if err := os.Link(final, before); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer os.Remove(before)
	if err := os.Rename(temp, final); err != nil {
		return err
	}
	if err := s.load(ctx, p, replaceWritable); err != nil {
		if back := restored(before, final); back != nil {
			s.cfg.Log.Error("the program of a plugin provider cannot be put back", "provider", name, "error", back)
		}
		return err
	}
	s.renew(name)
	return s.show(name, unpacked)
}

// renew has the plugins of a provider run its new program, which may say of itself what the one
// before did.
func (s *Service) renew(provider string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, r := range s.runners {
		if r.provider == provider {
			r.end()
			delete(s.runners, name)
			s.leaving[name] = r
		}
	}
	s.wake()
}

// restored puts the program back that was there before, if there was one.
func restored(before, final string) error {
	err := os.Rename(before, final)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Remove(final)
	}
	return err
}

// define asks a program what it is.
func (s *Service) define(ctx context.Context, name, program string) (*models.PluginProvider, error) {
	wrong := func(format string, args ...any) error {
		return models.Problem(models.Invalid, "plugin_providers", name, fmt.Sprintf(format, args...)).Typed("ValidationError")
	}
	text, err := s.ask(ctx, program, "define")
	if err != nil {
		return nil, wrong("%v", err)
	}
	p := &models.PluginProvider{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, wrong("what define prints is not the JSON of a plugin provider: %v", err)
	}
	if p.Name != name {
		return nil, wrong("it calls itself %q", p.Name)
	}
	p.Normalize()
	if bad := p.Validate(); len(bad) > 0 {
		return nil, models.Invalidf(p, bad...)
	}
	return p, nil
}

// unpack has a program put its files into a new folder beside those of all providers.
func (s *Service) unpack(ctx context.Context, name, program string) (string, error) {
	if err := os.MkdirAll(s.cfg.Assets, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(s.cfg.Assets, ".unpack-")
	if err != nil {
		return "", err
	}
	_, err = s.ask(ctx, program, "unpack", dir)
	if err == nil {
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !d.Type().IsRegular() {
				return fmt.Errorf("unpack makes %s, which is neither a file nor a folder", strings.TrimPrefix(path, dir+"/"))
			}
			return err
		})
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", models.Problem(models.Invalid, "plugin_providers", name, err.Error()).Typed("ValidationError")
	}
	return dir, os.Chmod(dir, 0o755)
}

// show puts the unpacked files of a provider into the place of those it had.
func (s *Service) show(name, dir string) error {
	final := filepath.Join(s.cfg.Assets, name)
	if err := os.RemoveAll(final); err != nil {
		return err
	}
	if err := os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil // it was empty
	}
	return os.Rename(dir, final)
}

// load makes a provider known, with its content, and with a plugin if it asks for one.
func (s *Service) load(ctx context.Context, p *models.PluginProvider, replaceWritable bool) error {
	return s.cfg.Content.LoadPlugin(asServer(ctx), p.Name, p.Content, replaceWritable, func(tx *objects.Tx) error {
		if err := tx.Install(models.Clone(p)); err != nil || !p.AutoStart {
			return err
		}
		for q := range objects.All[*models.Plugin](tx) {
			if q.Provider == p.Name || q.Name == p.Name {
				return nil
			}
		}
		return tx.Create(&models.Plugin{Name: p.Name, Provider: p.Name, Description: "Made for the plugin provider, which asks for it"})
	})
}

// Remove removes a provider with its program, content and files, and returns it as it was. What
// callers have made of the kinds it defines stays, out of sight, until it returns.
func (s *Service) Remove(ctx context.Context, name string) (*objects.Entry, error) {
	s.loading.Lock()
	defer s.loading.Unlock()
	actor := objects.ActorOf(ctx)
	e, err := s.objects.Get(ctx, "plugin_providers", name)
	if err != nil {
		return nil, err
	}
	if err := actor.Require("plugin_providers", "delete", e.Object.Key()); err != nil {
		return nil, err
	}
	return e, s.unload(ctx, e.Object.Key())
}

func (s *Service) unload(ctx context.Context, name string) error {
	err := s.cfg.Content.LoadPlugin(asServer(ctx), name, "", false, func(tx *objects.Tx) error {
		if _, ok := tx.Get("plugin_providers", name); !ok {
			return nil
		}
		return tx.Uninstall("plugin_providers", name)
	})
	if err != nil {
		return err
	}
	err = os.Remove(filepath.Join(s.cfg.Dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(filepath.Join(s.cfg.Assets, name)))
}

// Program opens the program of a provider for those who may see it.
func (s *Service) Program(ctx context.Context, name string) (*os.File, error) {
	e, err := s.objects.Get(ctx, "plugin_providers", name)
	if err != nil {
		return nil, err
	}
	return os.Open(filepath.Join(s.cfg.Dir, e.Object.Key()))
}

// Scan brings the providers that are known in line with the programs in the folder: somebody may
// have put one there, or taken one away. One that fails to say what it is stays as it was known.
func (s *Service) Scan(ctx context.Context) {
	s.loading.Lock()
	defer s.loading.Unlock()
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		s.cfg.Log.Error("plugin providers", "error", err)
		return
	}
	there := map[string]bool{}
	for _, e := range entries {
		name, program := e.Name(), filepath.Join(s.cfg.Dir, e.Name())
		if strings.HasPrefix(name, ".") || !e.Type().IsRegular() {
			continue
		}
		there[name] = true
		if err := s.found(ctx, name, program); err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("plugin provider cannot be loaded", "provider", name, "error", err)
		}
	}
	for p := range objects.All[*models.PluginProvider](s.objects.View()) {
		if there[p.Name] || ctx.Err() != nil {
			continue
		}
		s.cfg.Log.Warn("plugin provider is gone", "provider", p.Name)
		if err := s.unload(ctx, p.Name); err != nil {
			s.cfg.Log.Error("plugin provider cannot be removed", "provider", p.Name, "error", err)
		}
	}
}

// found loads the provider of a program in the folder.
func (s *Service) found(ctx context.Context, name, program string) error {
	p, err := s.define(ctx, name, program)
	if err != nil {
		return err
	}
	unpacked, err := s.unpack(ctx, name, program)
	if err != nil {
		return err
	}
	defer os.RemoveAll(unpacked)
	if err := s.load(ctx, p, false); err != nil {
		return err
	}
	return s.show(name, unpacked)
}
