package models

// CatalogItem is something that can be downloaded and put on a server.
type CatalogItem struct {
	Common
	// Bundle takes the place of that in Common, which clients do not know in this kind: it is left
	// out unless a content pack has brought the object.
	Bundle        string `json:",omitempty"`
	Id            string
	Type          string // always "catalog_items"
	Name          string
	ActualVersion string
	Version       string
	ContentType   string // DRP, DRPUX, DRPCLI, ContentPackage or PluginProvider
	Source        string
	Shasum256     map[string]string // by "arch/os"
	NOJQSource    string
	Tip           bool
	HotFix        bool
}

func (*CatalogItem) Kind() string  { return "catalog_items" }
func (c *CatalogItem) Key() string { return c.Id }

func (c *CatalogItem) Normalize() {
	c.normalize()
	c.Type = "catalog_items"
	if c.Shasum256 == nil {
		c.Shasum256 = map[string]string{}
	}
	switch { // one of the two is known: that of Common when a pack is loaded, the other when it was stored
	case !c.ReadOnly:
		c.Common.Bundle, c.Bundle = "", ""
	case c.Common.Bundle != "":
		c.Bundle = c.Common.Bundle
	default:
		c.Common.Bundle = c.Bundle
	}
}

func (c *CatalogItem) Validate() []string {
	var p problems
	p.id(c.Id)
	return p
}
