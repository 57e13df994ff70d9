package app

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/content"
	"drp/server/events"
	"drp/server/objects"
	"drp/server/params"
	"drp/server/plugins"
)

// openPlugins makes the room of plugins. Its Rules come behind those of params, which check what
// its own look at.
func (a *App) openPlugins(packs *content.Service) (err error) {
	webroot := filepath.Join(a.cfg.BaseRoot, "tftpboot")
	a.plugins, err = plugins.New(a.objects, plugins.Config{
		Dir: filepath.Join(a.cfg.BaseRoot, "plugins"), Assets: filepath.Join(webroot, "files", "plugin_providers"),
		Uploads: a.cfg.PluginUploads, Content: packs, Now: time.Now, After: time.After, Log: a.log,
		Post: func(e models.Event) { a.hub.Publish(&events.Message{Event: e, AuthKey: e.Key}) },
		Value: func(r objects.Reader, o models.Object, key string) (json.RawMessage, bool) {
			v, _, ok := params.Effective(a.secrets.vault.Reader(r), o, key)
			return v, ok
		},
		Environment: func(plugin string) ([]string, error) {
			token, err := a.auth.PluginToken(plugin)
			if err != nil {
				return nil, err
			}
			return []string{
				"RS_ENDPOINT=" + a.Endpoint(), "RS_TOKEN=" + token, "RS_WEBROOT=" + webroot,
				fmt.Sprintf("RS_FILESERVER=http://127.0.0.1:%d", a.ports.static),
			}, nil
		},
	})
	if err != nil {
		return err
	}
	a.hub.Follow(func(m *events.Message) { a.plugins.Publish(&m.Event, m.Text) })
	a.jobs.Actions = a.plugins
	return nil
}

// Plugin is what auth reads of plugins: their tokens end with them.
func (s source) Plugin(name string) bool {
	_, ok := objects.Get[*models.Plugin](s.objects.View(), name)
	return ok
}

var _ auth.Source = source{}
