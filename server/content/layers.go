package content

import (
	"encoding/json"

	"drp/models"
)

// The layers that every server has, beside the packs.
const (
	backingStore = "BackingStore" // what callers create: the writable layer
	basicStore   = "BasicStore"   // what drp cannot work without
)

// Layer is content that comes with the server. Its objects are read-only and an object of an
// uploaded pack may take the place of any of them.
type Layer struct {
	Meta    models.ContentMeta
	Objects []models.Object // as clients see them, Bundle included
}

// Basic is the layer BasicStore: the boot environments, stages, role and param that a server
// must have. Version is that of the server.
func Basic(version string) []models.Object { return basic(version).Objects }

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
