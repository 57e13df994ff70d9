import { Blobs } from './Blobs.tsx';

export default function FilesPage() {
  return <Blobs area="files" title="Files" about="What machines download, below files/ of the file ports." folders />;
}
