package models

// Context is a place other than the machine itself where its tasks may run, such as a container
// that an agent stands for. The entry context:NAME of a task list moves a machine into one.
type Context struct {
	Common
	Name          string
	Image         string // what the engine runs, such as a container image
	Engine        string // what runs the image, such as "docker"
	Description   string
	Documentation string
}

func (*Context) Kind() string  { return "contexts" }
func (c *Context) Key() string { return c.Name }
func (c *Context) Normalize()  { c.normalize() }

func (c *Context) Validate() []string {
	var p problems
	p.name(nameMachine, "Name", c.Name)
	return p
}
