"""Clients, collections, settings of a project, titles of assets."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Activity, Asset, Client, Collection, Project, Upload, Version, utc_now
from tests.factories import House, make_house, make_user
from tests.support.pages import Browser, words


@pytest.fixture
def assets(rows: Session, house: House) -> list[Asset]:
    made = [Asset(project_id=house.project.id, title=f"Reel {n}", created_by=house.user.id) for n in (1, 2, 3)]
    rows.add_all(made)
    rows.flush()
    rows.add_all(
        Version(asset_id=a.id, number=1, file_name="reel.mov", size=1, created_by=house.user.id, state="received")
        for a in made
    )
    rows.commit()
    return made


def collection_of(rows: Session, house: House, boss: Browser, name: str) -> UUID:
    answer = boss.post(f"/projects/{house.project.id}/collections", {"name": name})
    assert answer.status_code == 303
    return rows.scalars(
        select(Collection.id).where(Collection.name == name, Collection.project_id == house.project.id)
    ).one()


def test_collections_hold_assets(rows: Session, house: House, boss: Browser, assets: list[Asset]) -> None:
    project = f"/projects/{house.project.id}"
    reels = collection_of(rows, house, boss, "Graded reels")
    assert boss.post(f"{project}/collections", {"name": "GRADED reels"}).status_code == 409
    assert boss.post(f"{project}/collections", {"name": "  "}).status_code == 422
    assert boss.post(f"{project}/arrange", {"collection_id": str(reels)}).status_code == 422
    moved = {"asset": [str(assets[0].id), str(assets[1].id)], "collection_id": str(reels)}
    assert boss.post(f"{project}/arrange", moved).headers["Location"] == f"{project}?collection={reels}"
    page = boss.get(f"{project}?collection={reels}")
    assert 'data-collection="' + str(reels) in page.get_data(as_text=True)
    assert ("Reel 1" in words(page), "Reel 2" in words(page), "Reel 3" in words(page)) == (True, True, False)
    assert re.search(r"Everything 3 Graded reels 2 In no collection 1", words(page))
    assert "Reel 3" in words(boss.get(f"{project}?collection=none"))
    fragment = boss.get(f"{project}/asset-sheet?collection={reels}", **{"HX-Request-Type": "partial"})
    assert "Reel 3" not in words(fragment)
    assert boss.post(f"/collections/{reels}/delete").status_code == 409
    assert boss.post(f"/collections/{reels}/rename", {"name": "Reels"}).status_code == 303
    assert boss.post(f"/assets/{assets[0].id}/move", {"collection_id": ""}).status_code == 303
    assert boss.post(f"{project}/arrange", {"asset": [str(assets[1].id)], "collection_id": ""}).status_code == 303
    assert boss.post(f"/collections/{reels}/delete").status_code == 303
    assert boss.get(f"{project}?collection={reels}").status_code == 404
    for nonsense in ("x", "0", str(house.project.id)):
        assert boss.get(f"{project}?collection={nonsense}").status_code == 404


def test_assets_stay_in_their_project(rows: Session, house: House, boss: Browser, assets: list[Asset]) -> None:
    other = Project(organization_id=house.organization.id, name="Other")
    rows.add(other)
    rows.commit()
    theirs = Collection(project_id=other.id, name="Theirs")
    rows.add(theirs)
    rows.commit()
    asset = str(assets[0].id)
    calls = (
        (f"/projects/{house.project.id}/arrange", {"asset": [asset], "collection_id": str(theirs.id)}),
        (f"/projects/{other.id}/arrange", {"asset": [asset], "collection_id": str(theirs.id)}),
        (f"/projects/{other.id}/arrange", {"asset": [asset], "collection_id": ""}),
    )
    for path, data in calls:
        assert boss.post(path, data).status_code == 404, path
    rows.expire_all()
    assert rows.get_one(Asset, assets[0].id).collection_id is None


def test_a_collection_waits_for_the_upload_that_goes_there(rows: Session, house: House, boss: Browser) -> None:
    key = collection_of(rows, house, boss, "Dailies")
    upload = Upload(
        organization_id=house.organization.id, project_id=house.project.id, user_id=house.user.id, name="a.mov",
        size=1, content_type="video/quicktime", part_size=1, storage_upload_id="x", state="open",
        last_part_at=utc_now(), mapping={"projectId": str(house.project.id), "collectionId": str(key)},
    )  # fmt: skip
    rows.add(upload)
    rows.commit()
    answer = boss.post(f"/collections/{key}/delete")
    assert (answer.status_code, "not complete yet" in words(answer)) == (409, True)


def test_clients_are_shown_above_their_projects(rows: Session, house: House, boss: Browser) -> None:
    assert boss.post("/clients", {"name": "Halden Pictures"}).status_code == 303
    assert boss.post("/clients", {"name": "halden pictures"}).status_code == 409
    client = rows.scalars(select(Client).where(Client.organization_id == house.organization.id)).one()
    settings = f"/projects/{house.project.id}/settings"
    chosen = {"name": "Southbound", "client_id": str(client.id), "wants_2160": "1"}
    assert boss.post(settings, chosen).status_code == 303
    rows.expire_all()
    project = rows.get_one(Project, house.project.id)
    assert (project.name, project.client_id, project.wants_2160) == ("Southbound", client.id, True)
    assert "Halden Pictures Southbound" in words(boss.get(f"/projects/{house.project.id}"))
    assert "Halden Pictures" in words(boss.get("/"))
    assert boss.post(f"/clients/{client.id}/delete").status_code == 409
    assert boss.post(f"/clients/{client.id}/rename", {"name": "Halden"}).status_code == 303
    assert boss.post("/projects", {"name": "Third", "client_id": str(client.id)}).status_code == 303
    assert boss.post("/projects", {"name": ""}).status_code == 422
    for each in rows.scalars(select(Project).where(Project.client_id == client.id)).all():
        assert boss.post(f"/projects/{each.id}/settings", {"name": each.name, "client_id": ""}).status_code == 303
    assert boss.post(f"/clients/{client.id}/delete").status_code == 303
    assert "No clients yet" in words(boss.get("/clients"))


def test_who_sees_no_other_client_chooses_none(pages_app: Flask, rows: Session, house: House) -> None:
    client = Client(organization_id=house.organization.id, name="Secret client")
    rows.add(client)
    lead = make_user(rows, house.organization, project=house.project, project_role="admin")
    browser, settings = Browser(pages_app), f"/projects/{house.project.id}/settings"
    browser.be(rows, lead)
    assert "Secret client" not in words(browser.get(settings))
    assert browser.post(settings, {"name": "Renamed", "client_id": str(client.id)}).status_code == 303
    rows.expire_all()
    project = rows.get_one(Project, house.project.id)
    assert (project.name, project.client_id) == ("Renamed", None)
    assert browser.get(f"/projects/{house.project.id}/people").status_code == 200


def test_roles_of_a_project_on_its_pages(
    pages_app: Flask, rows: Session, house: House, assets: list[Asset], boss: Browser
) -> None:
    key = collection_of(rows, house, boss, "Bin")
    project = f"/projects/{house.project.id}"
    allowed = {"viewer": False, "reviewer": False, "editor": True, "admin": True}
    for role, may_sort in allowed.items():
        browser = Browser(pages_app)
        browser.be(rows, make_user(rows, house.organization, project=house.project, project_role=role))
        wanted = 303 if may_sort else 403
        assert browser.get(project).status_code == 200
        assert browser.post(f"{project}/collections", {"name": f"By {role}"}).status_code == wanted
        assert browser.post(f"/collections/{key}/rename", {"name": f"Bin {role}"}).status_code == wanted
        assert browser.post(f"/assets/{assets[0].id}/rename", {"title": f"By {role}"}).status_code == wanted
        assert browser.get(f"{project}/people").status_code == (200 if role == "admin" else 403)
        assert ("New collection" in words(browser.get(project))) == may_sort


def test_titles(rows: Session, house: House, boss: Browser, assets: list[Asset]) -> None:
    asset = f"/assets/{assets[0].id}"
    assert boss.post(f"{asset}/rename", {"title": " Reel  one "}).status_code == 303
    assert "Reel one" in words(boss.get(asset))
    boss.post(f"{asset}/rename", {"title": " "})
    assert "Give the asset a name" in words(boss.get(asset))
    actions = {activity.action for activity in rows.scalars(select(Activity)).all()}
    assert {
        "asset.renamed", "asset.moved", "collection.created", "collection.renamed", "collection.deleted",
        "client.created", "client.renamed", "client.deleted", "project.created", "project.renamed",
        "project.client_changed", "project.2160_changed",
    } <= actions  # fmt: skip


def test_a_client_of_another_house_cannot_be_chosen(rows: Session, boss: Browser) -> None:
    other = make_house(rows, "Wren")
    theirs = Client(organization_id=other.organization.id, name="Theirs")
    rows.add(theirs)
    rows.commit()
    assert boss.post("/projects", {"name": "Mine", "client_id": str(theirs.id)}).status_code == 404
