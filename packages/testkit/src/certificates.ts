import { type Certificates, ensureCertificates } from '@weir/local';

/** An authority of its own with a server's and a client's certificate, as the embedded stack makes them. */
export function testCertificates(dir: string): Promise<Certificates> {
  return ensureCertificates(dir, new Date());
}
