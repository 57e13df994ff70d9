package models

// Info is what a server says of itself.
type Info struct {
	Arch               string                         `json:"arch"`
	Os                 string                         `json:"os"`
	Version            string                         `json:"version"`
	Id                 string                         `json:"id"`
	LocalId            string                         `json:"local_id"`
	HaId               string                         `json:"ha_id"`
	ApiPort            int                            `json:"api_port"`
	FilePort           int                            `json:"file_port"`
	SecureFilePort     int                            `json:"secure_file_port"`
	DhcpPort           int                            `json:"dhcp_port"`
	BinlPort           int                            `json:"binl_port"`
	TftpPort           int                            `json:"tftp_port"`
	TftpEnabled        bool                           `json:"tftp_enabled"`
	DhcpEnabled        bool                           `json:"dhcp_enabled"`
	BinlEnabled        bool                           `json:"binl_enabled"`
	ProvisionerEnabled bool                           `json:"prov_enabled"`
	SecureProvisioner  bool                           `json:"secure_prov_enabled"`
	Address            string                         `json:"address"`
	ServerHostname     string                         `json:"server_hostname"`
	Manager            bool                           `json:"manager"`
	Stats              []Stat                         `json:"stats"`
	Features           []string                       `json:"features"`
	Scopes             map[string]map[string]struct{} `json:"scopes"`
	License            License
	Errors             []string     `json:"errors"`
	HaEnabled          bool         `json:"ha_enabled"`
	HaIsActive         bool         `json:"ha_is_active"`
	HaVirtualAddress   string       `json:"ha_virtual_address"`
	HaStatus           string       `json:"ha_status"`
	HaActiveId         string       `json:"ha_active_id"`
	HaPassiveState     []struct{}   `json:"ha_passive_state"`
	ClusterState       ClusterState `json:"ClusterState"`
}

// Stat is a count of something.
type Stat struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// License is kept for clients that look at it: drp needs none.
type License struct {
	Contact, ContactEmail, ContactId, Owner, OwnerEmail, OwnerId, Grantor, GrantorEmail string
	Version, GenerationVersion, MaxDrpVersion                                           string
	Licenses                                                                            []struct{}
}

// ClusterState is that of a single server.
type ClusterState struct {
	LoadBalanced, Enabled, ConsensusEnabled, ConsensusJoin bool
	VirtAddr, ServerHostname, ActiveUri, Token, HaID       string
	Valid                                                  bool
	Roots, Nodes                                           []struct{}
}
