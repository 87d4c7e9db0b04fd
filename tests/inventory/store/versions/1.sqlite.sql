BEGIN TRANSACTION;
CREATE TABLE account_names (
	name TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE accounts (
	account_id TEXT NOT NULL, 
	host TEXT NOT NULL, 
	entity_type TEXT, 
	visibility TEXT, 
	first_seen_at TEXT NOT NULL, 
	last_seen_at TEXT NOT NULL, 
	PRIMARY KEY (account_id)
);
INSERT INTO "accounts" VALUES('acme','127.0.0.1','team','{}','2026-11-25 17:46:51.030287+00:00','2026-11-25 17:46:51.217708+00:00');
CREATE TABLE addon_rows (
	listing_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	first_seen_at TEXT NOT NULL, 
	written_at TEXT NOT NULL, 
	last_seen_at TEXT, 
	deleted_at TEXT, 
	run_id INTEGER NOT NULL, 
	name TEXT, 
	type TEXT, 
	status TEXT, 
	data JSON NOT NULL, 
	PRIMARY KEY (listing_id, id)
);
INSERT INTO "addon_rows" VALUES(3,'b','2026-11-25 17:46:51.089352+00:00','2026-11-25 17:46:51.089352+00:00',NULL,NULL,1,NULL,'redis','running','{"id":"b","spec":{"type":"redis"},"status":"running"}');
INSERT INTO "addon_rows" VALUES(2,'a','2026-11-25 17:46:51.090016+00:00','2026-11-25 17:46:51.090016+00:00',NULL,NULL,1,NULL,'redis','running','{"id":"a","spec":{"type":"redis"},"status":"running"}');
CREATE TABLE backup_rows (
	listing_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	first_seen_at TEXT NOT NULL, 
	written_at TEXT NOT NULL, 
	last_seen_at TEXT, 
	deleted_at TEXT, 
	run_id INTEGER NOT NULL, 
	name TEXT, 
	uid TEXT, 
	status TEXT, 
	created_at TEXT, 
	completed_at TEXT, 
	source_type TEXT, 
	size BIGINT, 
	compression_type TEXT, 
	addon_version TEXT, 
	custom_destination_id TEXT, 
	data JSON NOT NULL, 
	PRIMARY KEY (listing_id, id)
);
INSERT INTO "backup_rows" VALUES(4,'b0','2026-11-25 17:46:51.097912+00:00','2026-11-25 17:46:51.097912+00:00',NULL,NULL,1,NULL,NULL,'completed','2026-01-01 00:00:00.000+00:00',NULL,NULL,NULL,NULL,NULL,NULL,'{"id":"b0","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
INSERT INTO "backup_rows" VALUES(4,'b1','2026-11-25 17:46:51.097912+00:00','2026-11-25 17:46:51.097912+00:00','2026-11-25 17:46:51.097912+00:00','2026-11-25 17:46:51.239052+00:00',1,NULL,NULL,'completed','2026-01-01 00:00:00.000+00:00',NULL,NULL,NULL,NULL,NULL,NULL,'{"id":"b1","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
INSERT INTO "backup_rows" VALUES(6,'b0','2026-11-25 17:46:51.103764+00:00','2026-11-25 17:46:51.103764+00:00',NULL,NULL,1,NULL,NULL,'completed','2026-01-01 00:00:00.000+00:00',NULL,NULL,NULL,NULL,NULL,NULL,'{"id":"b0","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
INSERT INTO "backup_rows" VALUES(6,'b1','2026-11-25 17:46:51.103764+00:00','2026-11-25 17:46:51.103764+00:00',NULL,NULL,1,NULL,NULL,'completed','2026-01-01 00:00:00.000+00:00',NULL,NULL,NULL,NULL,NULL,NULL,'{"id":"b1","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
INSERT INTO "backup_rows" VALUES(6,'b2','2026-11-25 17:46:51.103764+00:00','2026-11-25 17:46:51.103764+00:00',NULL,NULL,1,NULL,NULL,'completed','2026-01-01 00:00:00.000+00:00',NULL,NULL,NULL,NULL,NULL,NULL,'{"id":"b2","status":"completed","createdAt":"2026-01-01T00:00:00.000Z"}');
CREATE TABLE copies (
	account_id TEXT NOT NULL, 
	team_id TEXT NOT NULL, 
	project_id TEXT NOT NULL, 
	addon_id TEXT NOT NULL, 
	backup_id TEXT NOT NULL, 
	destination TEXT NOT NULL, 
	path TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	fetched_at TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 TEXT NOT NULL, 
	PRIMARY KEY (destination, path)
);
INSERT INTO "copies" VALUES('acme','','p','a','b0','s3://offsite/x','p/a/20261101T120000.000Z_b0.gz','2026-11-01 12:00:00.000+00:00','2026-11-25 17:46:51.000+00:00',5,'0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE drills (
	account_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	team_id TEXT, 
	project_id TEXT NOT NULL, 
	addon_id TEXT NOT NULL, 
	addon_type TEXT, 
	backup_id TEXT, 
	backup_created_at TEXT, 
	method TEXT, 
	scratch_project_id TEXT NOT NULL, 
	scratch_addon_id TEXT, 
	outcome TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	ended_at TEXT, 
	seconds DOUBLE, 
	restore_seconds DOUBLE, 
	backup_age DOUBLE, 
	checks JSON NOT NULL, 
	notes JSON NOT NULL, 
	is_kept BOOLEAN NOT NULL, 
	left_behind TEXT, 
	PRIMARY KEY (account_id, id)
);
INSERT INTO "drills" VALUES('acme','0123456789abcdef',NULL,'p','a','redis','b0','2026-11-01 12:00:00.000+00:00','import','scratch','restore-drill-0123456789abcdef','passed','the backup was restored, and every check passed','2026-11-25 17:46:51.000+00:00','2026-11-25 17:47:51.000+00:00',60.0,40.0,2094411.0,'[{"name":"running","status":"passed","message":"the addon is running"}]','[]',0,NULL);
CREATE TABLE excluded_ids (
	listing_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	PRIMARY KEY (listing_id, id)
)
 WITHOUT ROWID

;
CREATE TABLE failures (
	id INTEGER NOT NULL, 
	run_id INTEGER NOT NULL, 
	account_id TEXT NOT NULL, 
	team_id TEXT NOT NULL, 
	project_id TEXT NOT NULL, 
	addon_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	item_id TEXT, 
	error TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "failures" VALUES(1,2,'acme','','p','a','restores','r0','data.restores[0].restoreTimestamp: missing');
CREATE TABLE listings (
	listing_id INTEGER NOT NULL, 
	account_id TEXT NOT NULL, 
	team_id TEXT NOT NULL, 
	project_id TEXT NOT NULL, 
	addon_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	read_at TEXT, 
	run_id INTEGER, 
	is_open BOOLEAN NOT NULL, 
	opened_by INTEGER, 
	reading_started_at TEXT, 
	cursor TEXT, 
	page INTEGER, 
	pages_read INTEGER NOT NULL, 
	items_read INTEGER NOT NULL, 
	restarts INTEGER NOT NULL, 
	is_flawed BOOLEAN NOT NULL, 
	digest TEXT NOT NULL, 
	previous_digest TEXT, 
	PRIMARY KEY (listing_id), 
	UNIQUE (account_id, team_id, project_id, addon_id, kind)
);
INSERT INTO "listings" VALUES(1,'acme','','','','projects','2026-11-25 17:46:51.226042+00:00',2,0,NULL,NULL,NULL,NULL,0,2,0,0,'',NULL);
INSERT INTO "listings" VALUES(2,'acme','','p','','addons','2026-11-25 17:46:51.231211+00:00',2,0,NULL,NULL,NULL,NULL,0,1,0,0,'',NULL);
INSERT INTO "listings" VALUES(3,'acme','','q','','addons','2026-11-25 17:46:51.230868+00:00',2,0,NULL,NULL,NULL,NULL,0,1,0,0,'',NULL);
INSERT INTO "listings" VALUES(4,'acme','','q','b','backups','2026-11-25 17:46:51.235320+00:00',2,0,NULL,NULL,NULL,NULL,0,1,0,0,'',NULL);
INSERT INTO "listings" VALUES(5,'acme','','q','b','restores','2026-11-25 17:46:51.235090+00:00',2,0,NULL,NULL,NULL,NULL,0,0,0,0,'',NULL);
INSERT INTO "listings" VALUES(6,'acme','','p','a','backups','2026-11-25 17:46:51.238774+00:00',2,0,NULL,NULL,NULL,NULL,0,3,0,0,'',NULL);
INSERT INTO "listings" VALUES(7,'acme','','p','a','restores','2026-11-25 17:46:51.238456+00:00',2,0,NULL,NULL,NULL,NULL,0,1,0,0,'',NULL);
CREATE TABLE project_rows (
	listing_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	first_seen_at TEXT NOT NULL, 
	written_at TEXT NOT NULL, 
	last_seen_at TEXT, 
	deleted_at TEXT, 
	run_id INTEGER NOT NULL, 
	name TEXT, 
	data JSON NOT NULL, 
	PRIMARY KEY (listing_id, id)
);
INSERT INTO "project_rows" VALUES(1,'p','2026-11-25 17:46:51.063219+00:00','2026-11-25 17:46:51.063219+00:00',NULL,NULL,1,NULL,'{"id":"p"}');
INSERT INTO "project_rows" VALUES(1,'q','2026-11-25 17:46:51.063219+00:00','2026-11-25 17:46:51.063219+00:00',NULL,NULL,1,NULL,'{"id":"q"}');
CREATE TABLE restore_rows (
	listing_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	first_seen_at TEXT NOT NULL, 
	written_at TEXT NOT NULL, 
	last_seen_at TEXT, 
	deleted_at TEXT, 
	run_id INTEGER NOT NULL, 
	backup_id TEXT, 
	status TEXT, 
	restore_timestamp TEXT, 
	completed_at TEXT, 
	data JSON NOT NULL, 
	PRIMARY KEY (listing_id, id)
);
INSERT INTO "restore_rows" VALUES(7,'r0','2026-11-25 17:46:51.103447+00:00','2026-11-25 17:46:51.103447+00:00',NULL,NULL,1,'b0','completed',NULL,NULL,'{"id":"r0","backupId":"b0","status":"completed"}');
CREATE TABLE schedule_rows (
	listing_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	first_seen_at TEXT NOT NULL, 
	written_at TEXT NOT NULL, 
	last_seen_at TEXT, 
	deleted_at TEXT, 
	run_id INTEGER NOT NULL, 
	backup_type TEXT, 
	interval TEXT, 
	retention_time BIGINT, 
	created_at TEXT, 
	updated_at TEXT, 
	data JSON NOT NULL, 
	PRIMARY KEY (listing_id, id)
);
CREATE TABLE seen_ids (
	listing_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	PRIMARY KEY (listing_id, id)
)
 WITHOUT ROWID

;
CREATE TABLE sync_runs (
	id INTEGER NOT NULL, 
	account_id TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	visibility TEXT, 
	token TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	finished_at TEXT, 
	superseded_by INTEGER, 
	projects BIGINT DEFAULT '0' NOT NULL, 
	addons BIGINT DEFAULT '0' NOT NULL, 
	addons_done BIGINT DEFAULT '0' NOT NULL, 
	backups BIGINT DEFAULT '0' NOT NULL, 
	pages BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "sync_runs" VALUES(1,'acme','{"baseUrl": "http://127.0.0.1:44117", "teams": [""], "projects": null, "since": null, "statuses": [], "addonTypes": [], "restores": true}','{}','5ca46381b5ba50f5','2026-11-25 17:46:51.041715+00:00','2026-11-25 17:46:51.148466+00:00',NULL,2,2,2,5,7);
INSERT INTO "sync_runs" VALUES(2,'acme','{"baseUrl": "http://127.0.0.1:44117", "teams": [""], "projects": null, "since": null, "statuses": [], "addonTypes": [], "restores": true}','{}','5ca46381b5ba50f5','2026-11-25 17:46:51.220081+00:00','2026-11-25 17:46:51.259567+00:00',NULL,2,2,2,4,7);
CREATE VIEW projects AS SELECT listings.account_id, listings.team_id, project_rows.id, project_rows.name, project_rows.first_seen_at, CASE WHEN (project_rows.last_seen_at IS NOT NULL) THEN project_rows.last_seen_at WHEN (listings.read_at > project_rows.written_at) THEN listings.read_at ELSE project_rows.written_at END AS last_seen_at, project_rows.deleted_at, project_rows.data 
FROM project_rows JOIN listings ON project_rows.listing_id = listings.listing_id;
CREATE VIEW addons AS SELECT listings.account_id, listings.team_id, listings.project_id, addon_rows.id, addon_rows.name, addon_rows.type, addon_rows.status, addon_rows.first_seen_at, CASE WHEN (addon_rows.last_seen_at IS NOT NULL) THEN addon_rows.last_seen_at WHEN (listings.read_at > addon_rows.written_at) THEN listings.read_at ELSE addon_rows.written_at END AS last_seen_at, addon_rows.deleted_at, addon_rows.data 
FROM addon_rows JOIN listings ON addon_rows.listing_id = listings.listing_id;
CREATE VIEW backups AS SELECT listings.account_id, listings.team_id, listings.project_id, listings.addon_id, backup_rows.id, backup_rows.name, backup_rows.uid, backup_rows.status, backup_rows.created_at, backup_rows.completed_at, backup_rows.source_type, backup_rows.size, backup_rows.compression_type, backup_rows.addon_version, backup_rows.custom_destination_id, backup_rows.first_seen_at, CASE WHEN (backup_rows.last_seen_at IS NOT NULL) THEN backup_rows.last_seen_at WHEN (listings.read_at > backup_rows.written_at) THEN listings.read_at ELSE backup_rows.written_at END AS last_seen_at, backup_rows.deleted_at, backup_rows.data 
FROM backup_rows JOIN listings ON backup_rows.listing_id = listings.listing_id;
CREATE VIEW restores AS SELECT listings.account_id, listings.team_id, listings.project_id, listings.addon_id, restore_rows.id, restore_rows.backup_id, restore_rows.status, restore_rows.restore_timestamp, restore_rows.completed_at, restore_rows.first_seen_at, CASE WHEN (restore_rows.last_seen_at IS NOT NULL) THEN restore_rows.last_seen_at WHEN (listings.read_at > restore_rows.written_at) THEN listings.read_at ELSE restore_rows.written_at END AS last_seen_at, restore_rows.deleted_at, restore_rows.data 
FROM restore_rows JOIN listings ON restore_rows.listing_id = listings.listing_id;
CREATE VIEW schedules AS SELECT listings.account_id, listings.team_id, listings.project_id, listings.addon_id, schedule_rows.id, schedule_rows.backup_type, schedule_rows.interval, schedule_rows.retention_time, schedule_rows.created_at, schedule_rows.updated_at, schedule_rows.first_seen_at, CASE WHEN (schedule_rows.last_seen_at IS NOT NULL) THEN schedule_rows.last_seen_at WHEN (listings.read_at > schedule_rows.written_at) THEN listings.read_at ELSE schedule_rows.written_at END AS last_seen_at, schedule_rows.deleted_at, schedule_rows.data 
FROM schedule_rows JOIN listings ON schedule_rows.listing_id = listings.listing_id;
COMMIT;
PRAGMA application_id = 1313237358;
PRAGMA user_version = 1;
