package content

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"drp/models"
)

// The layers that are no packs.
const (
	backingStore = "BackingStore" // what callers create: the writable layer
	localStore   = "LocalStore"   // what the operator has put on the server's disk, above all packs
	defaultStore = "DefaultStore" // the same below them
	basicStore   = "BasicStore"   // what drp cannot work without
)

// Layer is content that is there from the start. Its objects are read-only.
type Layer struct {
	Meta    models.ContentMeta
	Objects []models.Object // as clients see them, Bundle included
}

// Layers are those of a server whose version is given, the one that wins first: what the operator
// has put into the files local and defaults, JSON or YAML ("": there is none), and BasicStore.
func Layers(version, local, defaults string) ([]Layer, error) {
	var list []Layer
	for _, l := range []struct{ file, name, kind, about string }{
		{local, localStore, "local", "Local Override Store"}, {defaults, defaultStore, "default", "Initial Default Content"},
	} {
		if l.file == "" {
			continue
		}
		layer, err := fromFile(l.file, models.ContentMeta{Name: l.name, Version: "0.0.0", Type: l.kind, Overwritable: true, Description: l.about})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		list = append(list, layer)
	}
	return append(list, basic(version)), nil
}

func fromFile(file string, meta models.ContentMeta) (Layer, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return Layer{}, err
	}
	pack, err := Parse(raw)
	if err != nil {
		return Layer{}, fmt.Errorf("%s: %w", file, err)
	}
	if pack.Meta.Version != "" {
		meta.Version = pack.Meta.Version
	}
	pack.Meta = meta
	objects, err := decode(pack)
	if err != nil {
		return Layer{}, fmt.Errorf("%s: %w", file, err)
	}
	return Layer{Meta: meta, Objects: sealed(objects)}, nil
}

// Base are the objects of layers in the order that objects.New takes them: of two with the same
// key the later wins.
func Base(layers []Layer) []models.Object {
	var list []models.Object
	for _, l := range slices.Backward(layers) {
		list = append(list, l.Objects...)
	}
	return list
}

func basic(version string) Layer {
	look := func(icon string) models.Common {
		return models.Common{Bundle: basicStore, Meta: map[string]string{
			"color": "green", "icon": icon, "title": "Digital Rebar Provision"}}
	}
	bootLook := func(icon string) models.Common {
		c := look(icon)
		c.Meta[models.FeatureFlags] = "change-stage-v2"
		return c
	}
	objects := []models.Object{
		&models.BootEnv{Common: bootLook("circle thin"), Name: "ignore", OnlyUnknown: true,
			Description: "Unknown machines boot from their own disk",
			OS:          models.OSInfo{Name: "ignore"},
			Templates: []models.TemplateInfo{
				{Name: "pxelinux", Path: "pxelinux.cfg/default", Contents: localPxelinux},
				{Name: "ipxe", Path: "default.ipxe", Contents: unknownIpxe},
				{Name: "grub", Path: "grub/grub.cfg", Contents: unknownGrub + localGrub},
			}},
		&models.BootEnv{Common: bootLook("radio"), Name: "local",
			Description: "Known machines boot from their own disk",
			OS:          models.OSInfo{Name: "local"},
			Templates: []models.TemplateInfo{
				{Name: "pxelinux", Path: "pxelinux.cfg/{{.Machine.HexAddress}}", Contents: localPxelinux},
				{Name: "ipxe", Path: "{{.Machine.Address}}.ipxe", Contents: localIpxe},
				{Name: "pxelinux-mac", Path: `pxelinux.cfg/{{.Machine.MacAddr "pxelinux"}}`, Contents: localPxelinux},
				{Name: "ipxe-mac", Path: `{{.Machine.MacAddr "ipxe"}}.ipxe`, Contents: localIpxe},
				{Name: "grub", Path: "grub/{{.Machine.Address}}.cfg", Contents: localGrub},
				{Name: "grub-mac", Path: `grub/{{.Machine.MacAddr "grub"}}.cfg`, Contents: localGrub},
			}},
		&models.Stage{Common: look("circle thin"), Name: "none", Description: "Noop / Nothing stage"},
		&models.Stage{Common: look("radio"), Name: "local", BootEnv: "local",
			Description: "Stage to boot into the local BootEnv."},
		&models.Role{Common: models.Common{Bundle: basicStore}, Name: models.Superuser,
			Claims: []models.Claim{{Scope: "*", Action: "*", Specific: "*"}}},
		&models.Param{Common: models.Common{Bundle: basicStore}, Name: "pxelinux-local-boot",
			Description:   "The pxelinux command that boots from the local disk",
			Documentation: "`localboot 0` works with most firmware. Where it does not, name another command here, such as one that chains to a disk with chain.c32.",
			Schema:        json.RawMessage(`{"default":"localboot 0","type":"string"}`)},
	}
	return Layer{
		Meta: models.ContentMeta{Name: basicStore, Version: version, Type: "basic", Overwritable: true,
			Description: "Default objects that must be present"},
		Objects: sealed(objects),
	}
}

// sealed brings the objects of a layer to the form that clients see.
func sealed(list []models.Object) []models.Object {
	for _, o := range list {
		o.Normalize()
		b := o.Base()
		b.Validated, b.Available, b.ReadOnly = true, true, true
	}
	return list
}

const localPxelinux = `DEFAULT local
PROMPT 0
TIMEOUT 10
LABEL local
{{.Param "pxelinux-local-boot"}}
`

const localIpxe = `#!ipxe
exit
`

// unknownIpxe looks for a file made for the machine, by MAC and then by address, before the
// local disk is tried.
const unknownIpxe = `#!ipxe
chain {{.ProvisionerURL}}/${netX/mac}.ipxe && exit || goto by_address
:by_address
chain {{.ProvisionerURL}}/${netX/ip}.ipxe || exit
`

const unknownGrub = `for id in ${net_default_mac} ${net_default_ip}; do
  if test -s (tftp)/grub/$id.cfg; then
    source (tftp)/grub/$id.cfg
  fi
done
`

// localGrub hands over to the disk: on a BIOS to its boot sector, on UEFI to a loader that is
// found on its system partition.
const localGrub = `if test "$grub_platform" = pc; then
  chainloader (hd0)
  boot
fi
for loader in /efi/microsoft/boot/bootmgfw.efi /efi/boot/bootx64.efi /efi/boot/bootaa64.efi; do
  if search --file --no-floppy --set=root $loader; then
    chainloader ($root)$loader
    boot
  fi
done
echo "No system to boot was found on the local disk; rebooting in two minutes."
sleep 120
reboot
`
