"""`make down` leaves nothing behind."""

from __future__ import annotations

from tests.integration.provisioning.site import Site, listens


def test_down_leaves_no_process_and_no_port_and_can_be_repeated(fresh_site: Site) -> None:
    assert fresh_site.up().code == 0
    down, again = fresh_site.down(), fresh_site.down()
    assert (down.code, down.changed, again.code, again.changed) == (0, 2, 0, 0)
    assert fresh_site.processes("ia0") | fresh_site.processes("engine") == set()
    ports = (fresh_site.port, fresh_site.port + 1, fresh_site.engine_port)
    assert [port for port in ports if listens(port)] == []
