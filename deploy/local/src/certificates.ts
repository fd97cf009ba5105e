import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

/** Files of the local certificate authority and of what it signed. */
export interface Certificates {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  /** Envoy's own, for the edge. */
  readonly clientCert: string;
  readonly clientKey: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const CA_DAYS = 3_650;
const LEAF_DAYS = 825;
const RENEW_DAYS = 30;

/** Makes the certificates at first start, and again those that are near their end. Private keys are readable by the owner alone. */
export async function ensureCertificates(dir: string, now: Date): Promise<Certificates> {
  x509.cryptoProvider.set(webcrypto as never);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = (name: string) => join(dir, name);
  const certificates: Certificates = {
    ca: path('ca.pem'),
    serverCert: path('server.pem'),
    serverKey: path('server.key'),
    clientCert: path('client.pem'),
    clientKey: path('client.key'),
  };
  const fresh = Object.values(certificates)
    .filter((file) => file.endsWith('.pem'))
    .every((file) => isFresh(file, now));
  if (fresh && existsSync(certificates.serverKey) && existsSync(certificates.clientKey)) return certificates;
  const ca = await createAuthority(now);
  writeFileSync(certificates.ca, ca.certificate.toString('pem'), { mode: 0o644 });
  await issue(ca, 'localhost', certificates.serverCert, certificates.serverKey, now);
  await issue(ca, 'weir-envoy', certificates.clientCert, certificates.clientKey, now);
  return certificates;
}

function isFresh(file: string, now: Date): boolean {
  if (!existsSync(file)) return false;
  const { notAfter } = new x509.X509Certificate(readFileSync(file, 'utf8'));
  return notAfter.getTime() - now.getTime() > RENEW_DAYS * DAY_MS;
}

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

async function createKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

async function createAuthority(now: Date): Promise<Authority> {
  const keys = await createKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Weir local CA',
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + CA_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys: keys as never,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate, keys };
}

async function issue(ca: Authority, name: string, certFile: string, keyFile: string, now: Date): Promise<void> {
  const keys = await createKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: ca.certificate.subject,
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + LEAF_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey as never,
    signingKey: ca.keys.privateKey as never,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: name },
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(ca.keys.publicKey as never),
    ],
  });
  const exported = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const pem = `-----BEGIN PRIVATE KEY-----\n${exported.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`;
  writeFileSync(keyFile, pem, { mode: 0o600 });
  writeFileSync(certFile, certificate.toString('pem'), { mode: 0o644 });
}
