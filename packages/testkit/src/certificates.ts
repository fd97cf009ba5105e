import { type Certificates, ensureCertificates } from '@weir/local';

/** An authority of its own with a server's and a client's certificate, as the embedded stack made them at a time: these end 825 days later. */
export function testCertificates(dir: string, madeAt = new Date()): Promise<Certificates> {
  return ensureCertificates(dir, madeAt);
}
