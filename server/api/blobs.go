package api

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"

	"drp/models"
	"drp/server/files"

	"github.com/gin-gonic/gin"
)

// blobRoutes are those of files and ISOs.
func (a *API) blobRoutes(v3 *gin.RouterGroup) {
	most := a.largest()
	for _, area := range []string{files.Files, files.Isos} {
		of, one := "/"+area, "/"+area+"/*key"
		v3.GET(of, a.open(wide(a.listBlobs(area))))
		v3.GET(one, a.open(wide(a.getBlob(area))))
		v3.HEAD(one, a.open(wide(a.getBlob(area))))
		v3.POST(one, a.limited(most, wide(a.putBlob(area))))
		v3.DELETE(one, a.open(wide(a.removeBlob(area))))
	}
	v3.DELETE("/bootenvs/:id/purgeLocal", a.open(a.purgeLocal))

	v3.GET("/system/cert", a.open(wide(a.getCert(a.Cert))))
	v3.POST("/system/cert", a.open(wide(a.setCert(a.Cert))))
	v3.GET("/static/cert", a.open(wide(a.getCert(a.StaticCert))))
	v3.POST("/static/cert", a.open(wide(a.setCert(a.StaticCert))))
}

func (a *API) listBlobs(area string) handler {
	return func(r *request) (int, any, error) {
		if err := r.actor.Require(area, "list", ""); err != nil {
			return 0, nil, err
		}
		names, err := a.Files.List(area, r.query.Get("path"), r.flag("all"))
		return http.StatusOK, names, err
	}
}

func (a *API) getBlob(area string) handler {
	return func(r *request) (int, any, error) {
		if r.key() == "" {
			return a.listBlobs(area)(r)
		}
		if err := r.actor.Require(area, "get", r.key()); err != nil {
			return 0, nil, err
		}
		f, err := a.Files.Open(r.ctx, area, r.key())
		if err != nil {
			return 0, nil, err
		}
		defer f.Close()
		r.Header("Content-Type", "application/octet-stream")
		files.Serve(r.Writer, r.Request, f)
		r.Writer.WriteHeaderNow() // also when there is nothing in it
		return http.StatusOK, nil, nil
	}
}

// largest is how large an upload may be, in bytes.
func (a *API) largest() int64 {
	if a.Guard.Upload == 0 {
		return math.MaxInt64
	}
	return a.Guard.Upload
}

func (a *API) putBlob(area string) handler {
	return func(r *request) (int, any, error) {
		if err := r.actor.Require(area, "post", r.key()); err != nil {
			return 0, nil, err
		}
		body, err := r.upload()
		if err != nil {
			return 0, nil, err
		}
		info, err := a.Files.Put(r.ctx, area, r.key(), body, r.flag("explode"))
		if err != nil {
			return 0, nil, err
		}
		r.Header("X-DRP-SHA256SUM", info.Sum)
		return http.StatusCreated, info, nil
	}
}

// upload is the content of an upload: the body, or the part "file" of a form.
func (r *request) upload() (io.Reader, error) {
	kind, _, err := mime.ParseMediaType(r.GetHeader("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		return incoming{r.Request.Body}, nil
	}
	parts, err := r.Request.MultipartReader()
	if err != nil {
		return nil, models.Problem(models.BadRequest, "", "", "the form cannot be read: "+err.Error())
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, models.Problem(models.BadRequest, "", "", `the form has no part named "file", which is to hold the upload`)
		}
		if err != nil {
			return nil, bodyError(err)
		}
		if part.FormName() == "file" {
			return incoming{part}, nil
		}
	}
}

// incoming tells a client that breaks off from a disk that fails.
type incoming struct{ io.Reader }

func (i incoming) Read(p []byte) (int, error) {
	n, err := i.Reader.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // EOF must stay what it is
		err = bodyError(err)
	}
	return n, err
}

func (a *API) removeBlob(area string) handler {
	return func(r *request) (int, any, error) {
		if err := r.actor.Require(area, "delete", r.key()); err != nil {
			return 0, nil, err
		}
		return http.StatusNoContent, nil, a.Files.Delete(area, r.key())
	}
}

// purgeLocal removes what was unpacked of a boot environment's ISOs, and the ISOs, unless they are
// to be unpacked again.
func (a *API) purgeLocal(r *request) (int, any, error) {
	e, err := a.Objects.Get(r.ctx, "bootenvs", r.id())
	if err != nil {
		return 0, nil, err
	}
	if err := r.actor.Require("bootenvs", "update", e.Object.Key()); err != nil {
		return 0, nil, err
	}
	again := r.flag("reexplodeIsos")
	if !again {
		if err := r.actor.Require(files.Isos, "delete", "*"); err != nil {
			return 0, nil, err
		}
	}
	body, err := r.json()
	if err != nil {
		return 0, nil, err
	}
	var arches []string
	if len(body) > 0 {
		if err := json.Unmarshal(body, &arches); err != nil {
			return 0, nil, models.Problem(models.BadRequest, "bootenvs", e.Object.Key(), `the body must be a list of architectures, such as ["amd64"]: `+err.Error())
		}
	}
	return http.StatusNoContent, nil, a.Trees.Purge(e.Object.(*models.BootEnv), arches, again)
}
