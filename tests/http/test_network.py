"""Network: proxies, certificates, environment variables, and connections that break."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_segments_provider.errors import ConfigurationError, VendorUnavailable
from airflow_segments_provider.http import RetryPolicy
from airflow_segments_provider.http.response import Call
from airflow_segments_provider.http.transport import Transport, TransportSettings
from tests.http.vendor import Vendor

ONCE = RetryPolicy(max_attempts=1)
BROKEN = RetryPolicy(max_attempts=3, base_delay=0, max_delay=0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Create a certificate authority, and a server certificate for 127.0.0.1 signed by it."""
    folder = tmp_path_factory.mktemp("authority")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def certificate(name, public_key, *extensions):
        builder = x509.CertificateBuilder(ca_name, name, public_key, x509.random_serial_number())
        builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
        builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=1))
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        builder = builder.add_extension(signer, critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    ca = certificate(ca_name, ca_key.public_key(), (x509.BasicConstraints(True, None), True), (usage, True))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    mine = certificate(x509.Name([]), key.public_key(), (names, True))
    (folder / "ca.pem").write_bytes(ca)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + mine)
    return folder


@pytest.fixture
def tls_vendor(authority) -> Iterator[Vendor]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem")
    with Vendor(context) as vendor:
        yield vendor


def call(vendor, retry=ONCE, **settings):
    return vendor.client(retry=retry, transport=TransportSettings(**settings)).request("GET", ["x"]).status


def test_verify_accepts_the_path_of_a_private_authority(tls_vendor, authority):
    assert call(tls_vendor, verify=str(authority / "ca.pem")) == 200


def test_an_unknown_authority_is_a_configuration_error_that_names_verify_at_once(tls_vendor):
    with pytest.raises(ConfigurationError, match=r"nothing was sent.*`verify`"):
        call(tls_vendor, BROKEN)
    assert not tls_vendor.requests


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verify_false_is_not_overridden_by_the_environment(tls_vendor, monkeypatch):
    import certifi

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    assert call(tls_vendor, verify=False) == 200


def test_the_authorities_of_the_environment_do_not_replace_the_path_of_the_connection(
    tls_vendor, authority, monkeypatch
):
    import certifi

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    assert call(tls_vendor, verify=str(authority / "ca.pem")) == 200
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority / "ca.pem"))
    with pytest.raises(ConfigurationError, match="verify"):
        call(tls_vendor, verify=certifi.where())


def test_the_authorities_of_the_environment_apply_if_the_connection_names_none(tls_vendor, authority, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority / "ca.pem"))
    assert call(tls_vendor) == 200


@pytest.mark.parametrize("path", ["x" * 300, "/tmp/\0"])
def test_a_path_that_no_file_can_have_is_a_configuration_error(vendor, path):
    with pytest.raises(ConfigurationError, match="verify"):
        vendor.client(transport=TransportSettings(verify=path))


@pytest.mark.parametrize("content", [None, b"", b"no certificate\n"])
def test_a_verify_path_without_certificates_is_a_configuration_error_before_any_request(vendor, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="verify"):
        vendor.client(transport=TransportSettings(verify=str(path)))


def test_a_missing_path_of_authorities_in_the_environment_is_a_configuration_error(tls_vendor, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match="REQUESTS_CA_BUNDLE"):
        call(tls_vendor, BROKEN)


def test_verify_accepts_a_directory_of_authorities(tls_vendor, authority, tmp_path):
    ca = authority / "ca.pem"
    name = subprocess.run(
        ["openssl", "x509", "-noout", "-subject_hash", "-in", ca], check=True, capture_output=True, text=True
    ).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(ca.read_bytes())
    assert call(tls_vendor, verify=str(tmp_path)) == 200


def test_requests_go_through_the_proxy_of_the_connection(vendor, monkeypatch):
    """Also for a host that the environment exempts from proxies."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Vendor() as proxy:
        assert call(vendor, proxies={"http": proxy.url.replace("//", "//user:pass%20word@")}) == 200
        assert [request.target for request in proxy.requests] == [f"{vendor.url}/token", f"{vendor.url}/x"]
        assert proxy.requests[1].headers["Proxy-Authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="
    assert not vendor.requests


def test_the_proxy_of_the_environment_applies_if_the_connection_names_none(vendor, monkeypatch):
    with Vendor() as proxy:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert call(vendor) == 200
        assert len(proxy.requests) == 2
    assert not vendor.requests


def test_a_proxy_that_is_down_is_named_without_its_password_and_nothing_was_done(vendor, unused_port):
    with pytest.raises(VendorUnavailable, match="the proxy") as caught:
        call(vendor, proxies={"http": f"http://user:proxy-password@127.0.0.1:{unused_port}"})
    assert not caught.value.maybe_done
    assert "proxy-password" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["http://[", "gopher://x:1", "http://", "socks5://127.0.0.1:1"])
def test_a_proxy_that_is_not_an_address_is_an_error_before_any_request(vendor, proxy):
    with pytest.raises((ConfigurationError, VendorUnavailable)):
        call(vendor, proxies={"http": proxy})
    assert not vendor.requests


def test_the_text_of_the_settings_does_not_contain_the_password_of_a_proxy():
    assert "password" not in repr(TransportSettings(proxies={"https": "http://user:password@proxy"}))


def test_a_hook_masks_the_password_of_a_proxy(walkme_sandbox, monkeypatch):
    from airflow_segments_provider.hooks.walkme import WalkMeHook

    told: list[str] = []
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", told.append)
    proxies = {"https": "http://user:proxy%2Dpassword@127.0.0.1:1"}
    monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", walkme_sandbox.connection_json(proxies=proxies))
    WalkMeHook().get_segments()
    assert "proxy%2Dpassword" in told


def test_a_netrc_entry_does_not_replace_the_token(vendor, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password guess\ndefault login mallory password guess\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert call(vendor) == 200
    assert [request.headers["Authorization"].split()[0] for request in vendor.requests] == ["Basic", "Bearer"]
    assert vendor.calls[0].headers["Authorization"] == "Bearer token-1"


def test_each_request_names_this_package_and_accepts_json(vendor):
    call(vendor)
    for request in vendor.requests:
        assert request.headers["User-Agent"].startswith("airflow-provider-segments/")
        assert request.headers["Accept"] == "application/json"


def test_one_connection_is_used_for_many_requests(vendor):
    accepted = []
    original = vendor._server.process_request

    def accept(request, address):
        accepted.append(address)
        original(request, address)

    vendor._server.process_request = accept
    client = vendor.client()
    for _ in range(5):
        client.request("GET", ["x"])
    assert len(accepted) == 1
    client.close()
    client.request("GET", ["x"])
    assert len(accepted) == 2


@pytest.fixture
def unused_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_refused_connection_is_an_error_and_nothing_was_done(vendor, unused_port):
    message = rf"\(127\.0\.0\.1:{unused_port}\) could not be reached by .*: the host refused the connection\."
    with pytest.raises(VendorUnavailable, match=message) as caught:
        vendor.client(f"http://127.0.0.1:{unused_port}", retry=ONCE).request("GET", ["x"])
    assert (caught.value.maybe_done, caught.value.status) == (False, None)


def test_a_host_name_that_does_not_exist_is_an_error_and_nothing_was_done(vendor):
    with pytest.raises(VendorUnavailable, match=r"\(does-not-exist\.invalid\) .* has no known address") as caught:
        vendor.client("https://does-not-exist.invalid", retry=ONCE).request("GET", ["x"])
    assert not caught.value.maybe_done


def test_a_host_without_tls_is_named_and_nothing_was_done(vendor):
    with pytest.raises(VendorUnavailable, match="not answer with TLS, so it may be one for http") as caught:
        vendor.client(vendor.url.replace("http:", "https:"), retry=ONCE).request("POST", ["x"])
    assert (caught.value.maybe_done, vendor.calls) == (False, [])


def test_the_error_for_a_host_that_requires_https_says_so(vendor, tls_vendor):
    client = vendor.client(tls_vendor.url.replace("https:", "http:"), retry=ONCE)
    with pytest.raises(VendorUnavailable, match="; the host may require https"):
        client.request("GET", ["x"])


def test_a_host_that_accepts_no_connection_in_time_is_an_error_and_nothing_was_done(vendor):
    """A listener whose queue is full lets further connections wait."""
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (one, two):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        settings = TransportSettings(connect_timeout=0.2)
        client = vendor.client(f"http://127.0.0.1:{full.getsockname()[1]}", retry=ONCE, transport=settings)
        with pytest.raises(VendorUnavailable, match=r"did not accept a connection in 0\.2 s") as caught:
            client.request("GET", ["x"])
        assert not caught.value.maybe_done


class Interrupted:
    """Server that responds without TLS after a successful handshake."""

    def __init__(self, authority, version: ssl.TLSVersion) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(authority / "server.pem")
        self._context.maximum_version = version
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.received = b""
        self.read = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        accepted, _ = self._listener.accept()
        with accepted.dup() as plain, self._context.wrap_socket(accepted, server_side=True) as encrypted:
            self.received = encrypted.recv(65536)
            plain.sendall(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
            # A connection that is closed at once would be reset.
            self.read.wait(30)

    def __enter__(self) -> Interrupted:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.read.set()
        self._thread.join()
        self._listener.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_response_without_tls_to_a_sent_request_leaves_its_outcome_unknown(authority, version):
    with Interrupted(authority, version) as server:
        transport = Transport(TransportSettings(verify=str(authority / "ca.pem")))
        with pytest.raises(VendorUnavailable) as caught:
            transport.send(Call("Acme", "POST", "/x"), f"{server.url}/x", authorization=None, body=b"{}")
    assert server.received.startswith(b"POST /x HTTP/1.1")
    assert caught.value.maybe_done
    assert str(caught.value).endswith("Whether it was carried out is not known.")


def test_a_failed_tls_handshake_is_an_error_and_nothing_was_done():
    def serve(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with accepted:
            accepted.recv(65536)
            accepted.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # A fatal alert: handshake failure.
            accepted.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/x"
        with pytest.raises(VendorUnavailable, match="the TLS handshake failed") as caught:
            Transport(TransportSettings()).send(Call("Acme", "POST", "/x"), url, authorization=None, body=b"{}")
        server.join()
    assert not caught.value.maybe_done
