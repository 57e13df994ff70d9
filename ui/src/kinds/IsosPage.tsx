import { Blobs } from './Blobs.tsx';

export default function IsosPage() {
  return <Blobs area="isos" title="ISO images" about="Boot environments become available once their image is here and unpacked." />;
}
