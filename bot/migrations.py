"""The database's schema as a list of steps. A released step is never changed: append another one."""

from __future__ import annotations

import hashlib
import sqlite3


def prepare(db: sqlite3.Connection) -> None:
    """Give a connection the functions that the steps use."""
    db.create_function(
        "sha256", 1, lambda text: hashlib.sha256(text.encode()).hexdigest(), deterministic=True
    )


FIRST = """
CREATE TABLE person (
    id INTEGER PRIMARY KEY,                 -- Telegram's; also the id of the private chat
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    style INTEGER REFERENCES style ON DELETE SET NULL,
    blocked INTEGER NOT NULL DEFAULT 0      -- has blocked the bot: nothing can be sent
) STRICT;

CREATE TABLE style (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    keyword TEXT NOT NULL,
    UNIQUE (person, keyword)
) STRICT;

CREATE TABLE sample (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    file_unique_id TEXT NOT NULL,
    blob TEXT NOT NULL,
    kind TEXT NOT NULL,                     -- sticker | photo | file
    message_id INTEGER NOT NULL,            -- the person's message with the picture
    sent_at REAL NOT NULL,                  -- seconds since 1970
    answer_id INTEGER,                      -- the bot's newest message about it; NULL = not reported yet
    caption TEXT,                           -- with the keyword; NULL = none yet
    caption_from TEXT,                      -- draft | album | person
    captioned_by INTEGER,                   -- the message with the caption: it gives only one
    refused_tokens INTEGER,                 -- length of a caption that was too long
    UNIQUE (style, file_unique_id)
) STRICT;

CREATE VIEW numbered_sample AS              -- with the number that people see, counted from 1 in each style
    SELECT sample.*, style.person,
        row_number() OVER (PARTITION BY style.person, sample.style ORDER BY sample.id) AS number
    FROM sample JOIN style ON style.id = sample.style;

CREATE TABLE album_item (                   -- every picture of an album, refused ones too: lines are counted
    person INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    album TEXT NOT NULL,
    caption TEXT,
    PRIMARY KEY (person, message_id)
) STRICT;
CREATE INDEX album_item_album ON album_item (person, album);

CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    kind TEXT NOT NULL,                     -- train | draw
    style INTEGER REFERENCES style ON DELETE SET NULL,
    origin TEXT NOT NULL,                   -- the message or button press that asked: the same one asks once
    state TEXT NOT NULL DEFAULT 'queued',   -- queued | running | done | failed | cancelled
    attempt INTEGER NOT NULL DEFAULT 0,     -- fence: a change counts only for the attempt that is running
    losses INTEGER NOT NULL DEFAULT 0,      -- workers that died of it since its last checkpoint
    adapter TEXT,                           -- draw: the blob to draw with; NULL = the bare base
    keyword TEXT NOT NULL DEFAULT '',
    prompt TEXT NOT NULL DEFAULT '',
    cfg REAL NOT NULL DEFAULT 0,
    seed INTEGER NOT NULL DEFAULT 0,
    steps INTEGER,                          -- NULL = the base's default
    count INTEGER NOT NULL DEFAULT 1,       -- draw: stickers; train: samples
    step INTEGER NOT NULL DEFAULT 0,        -- train: of the last checkpoint
    note TEXT,                              -- a key of the locales, shown with the job
    error TEXT,                             -- a key of lora.jobs.JOB_ERRORS
    message_id INTEGER,                     -- the bot's message that shows how it goes
    told INTEGER NOT NULL DEFAULT 0,        -- its end has been told to the person
    UNIQUE (person, origin)
) STRICT;
CREATE INDEX job_state ON job (state, kind, id);
CREATE UNIQUE INDEX job_one_training ON job (style)
    WHERE kind = 'train' AND state IN ('queued', 'running');

CREATE TABLE job_sample (                   -- what a training works on, also if the style changes
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    position INTEGER NOT NULL,
    blob TEXT NOT NULL,
    caption TEXT NOT NULL,
    PRIMARY KEY (job, position)
) STRICT;

CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    step INTEGER NOT NULL,
    adapter TEXT NOT NULL,
    state TEXT,                             -- what a resume needs; only a job's newest is kept
    UNIQUE (job, step)
) STRICT;

CREATE TABLE drawing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job,
    position INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    blob TEXT NOT NULL,
    message_id INTEGER,                     -- NULL = not sent yet
    UNIQUE (job, position)
) STRICT;

CREATE TABLE pack (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    keyword TEXT NOT NULL,                  -- of the style whose stickers it takes; '' = drawn without one
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    title TEXT NOT NULL,
    state TEXT NOT NULL                     -- new (not on Telegram yet) | live | full | gone
) STRICT;

CREATE TABLE pack_sticker (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    drawing INTEGER NOT NULL UNIQUE REFERENCES drawing,
    pack INTEGER REFERENCES pack,
    state TEXT NOT NULL DEFAULT 'wanted',   -- wanted | uploaded | adding | added | failed
    file_id TEXT,                           -- of the uploaded file: adding it again changes nothing
    count_before INTEGER,                   -- stickers in the pack before this one is added
    told INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX pack_sticker_open ON pack_sticker (person, told);

CREATE TABLE inbox (
    update_id INTEGER PRIMARY KEY,
    person INTEGER NOT NULL,
    body TEXT NOT NULL,                     -- Telegram's JSON; emptied when done
    tries INTEGER NOT NULL DEFAULT 0,
    done_at REAL
) STRICT;
CREATE INDEX inbox_waiting ON inbox (person, update_id) WHERE done_at IS NULL;

-- blobs are looked for by name before they are deleted
CREATE INDEX sample_blob ON sample (blob);
CREATE INDEX job_adapter ON job (adapter);
CREATE INDEX job_sample_blob ON job_sample (blob);
CREATE INDEX drawing_blob ON drawing (blob);

CREATE TABLE deed (                         -- what must not be done again when its update is worked off twice
    person INTEGER NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (person, origin)
) STRICT;

CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""

CHECKPOINTS_COMPARED = """
CREATE TABLE comparison (
    job INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    best INTEGER NOT NULL,                  -- the step that the scores speak for
    scores TEXT NOT NULL,                   -- JSON: a lora.jobs.Score for each checkpoint
    sheet TEXT NOT NULL                     -- blob: a PNG with a row for each checkpoint
) STRICT;
ALTER TABLE checkpoint ADD COLUMN used INTEGER NOT NULL DEFAULT 0;  -- 1: drawn with; none 1 = the last
ALTER TABLE checkpoint ADD COLUMN base TEXT;  -- hash of the base it draws on; NULL = not written down then
"""

FINDINGS = """
CREATE TABLE finding (                      -- what a training's worker saw on its samples
    job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    code TEXT NOT NULL,                     -- a key of lora.checks.KINDS
    severity TEXT NOT NULL,                 -- error | warning | advice
    picture TEXT NOT NULL,                  -- the sample's blob, whatever number it has by now
    PRIMARY KEY (job, code, picture)
) STRICT;
CREATE INDEX finding_style ON finding (style, job);
"""

DRAW_OPTIONS = """
ALTER TABLE job ADD COLUMN options TEXT NOT NULL DEFAULT '{}';  -- draw: JSON of lora.jobs.DrawOptions
UPDATE job SET options = json_patch('{}', json_object('cfg', cfg, 'steps', steps, 'seed', seed, 'count', count))
    WHERE kind = 'draw';                    -- json_patch leaves out what is NULL
ALTER TABLE job ADD COLUMN samples INTEGER NOT NULL DEFAULT 0;  -- train: how many
UPDATE job SET samples = count WHERE kind = 'train';
UPDATE job SET steps = NULL, seed = 0 WHERE kind = 'draw';      -- from here on a training's alone
ALTER TABLE job DROP COLUMN cfg;
ALTER TABLE job DROP COLUMN count;
"""

CHOICE_REASONS = """
ALTER TABLE comparison ADD COLUMN reasons TEXT;  -- JSON: a lora.jobs.ReasonCode for each of scores; NULL = not known
"""

NOTHING_LOST = """
CREATE TABLE inbox_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- the order of arrival; Telegram's own ids begin anew at times
    update_id INTEGER NOT NULL,             -- Telegram's
    digest TEXT NOT NULL,                   -- SHA-256 of the JSON: another update may have the same id later
    person INTEGER NOT NULL,                -- or a group's chat: whose updates stay in order
    body TEXT NOT NULL,                     -- Telegram's JSON; emptied when done
    state TEXT NOT NULL DEFAULT 'waiting',  -- a LetterState
    tries INTEGER NOT NULL DEFAULT 0,       -- begun and not ended by an error that is waited out
    received_at REAL NOT NULL,              -- seconds since 1970
    done_at REAL
) STRICT;
INSERT INTO inbox_new (update_id, digest, person, body, state, tries, received_at, done_at)
    SELECT update_id, '', person, body, iif(done_at IS NULL, 'waiting', 'done'), tries, unixepoch(), done_at
    FROM inbox ORDER BY update_id;
DROP TABLE inbox;
ALTER TABLE inbox_new RENAME TO inbox;
CREATE INDEX inbox_waiting ON inbox (person, id) WHERE state IN ('waiting', 'kept');
CREATE INDEX inbox_update ON inbox (update_id);

CREATE TABLE outbox (                       -- texts that must reach their person, whatever happens meanwhile
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL,
    text TEXT NOT NULL                      -- HTML; the row is deleted when it has been sent
) STRICT;

CREATE TABLE hold (                         -- waits that Telegram has asked for (429)
    person INTEGER NOT NULL,
    method TEXT NOT NULL,
    until REAL NOT NULL,                    -- seconds since 1970
    message_id INTEGER,                     -- the bot's message that tells of it
    PRIMARY KEY (person, method)
) STRICT;

CREATE TABLE refusal (                      -- a picture that was not taken, and why
    person INTEGER NOT NULL,
    message_id INTEGER NOT NULL,            -- the person's message with the picture
    key TEXT NOT NULL,                      -- of the locales
    params TEXT NOT NULL,                   -- JSON: what fills the text in
    answer_id INTEGER,                      -- the bot's message that says so; NULL = not said yet
    PRIMARY KEY (person, message_id)
) STRICT;

ALTER TABLE album_item ADD COLUMN sent_at REAL NOT NULL DEFAULT 0;  -- seconds since 1970
ALTER TABLE pack ADD COLUMN made_at REAL NOT NULL DEFAULT 0;        -- when its making was asked for
ALTER TABLE pack_sticker DROP COLUMN count_before;
ALTER TABLE pack_sticker ADD COLUMN before TEXT;    -- JSON: unique file ids in the pack before this one was added
ALTER TABLE pack_sticker ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;  -- of packs' names and of its file
"""

SUPERVISION = """
ALTER TABLE job ADD COLUMN shared_losses INTEGER NOT NULL DEFAULT 0;  -- workers that died with it and other jobs
ALTER TABLE job ADD COLUMN handing_over INTEGER NOT NULL DEFAULT 0;   -- 1 while its files go to a worker
ALTER TABLE job ADD COLUMN ended_at REAL;                             -- seconds since 1970; NULL = active
UPDATE job SET ended_at = unixepoch() WHERE state NOT IN ('queued', 'running');
CREATE INDEX job_suspect ON job (state, kind, id) WHERE losses + shared_losses > 0;
CREATE INDEX job_untold ON job (person) WHERE told = 0;
CREATE INDEX job_news ON job (person) WHERE told = 0 AND ended_at IS NOT NULL;
CREATE INDEX job_style ON job (style);
CREATE INDEX job_ended ON job (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX drawing_unsent ON drawing (job) WHERE message_id IS NULL;
"""

OWN_LANGUAGE = """
ALTER TABLE person ADD COLUMN chosen_language TEXT;             -- with /language; NULL = the client's, in language
ALTER TABLE job ADD COLUMN prompt_original TEXT;                -- draw: as it was written; NULL = in English
ALTER TABLE job ADD COLUMN prompt_unknown TEXT NOT NULL DEFAULT '';      -- its words that were not translated
ALTER TABLE sample ADD COLUMN caption_original TEXT;            -- as it was written; NULL = in English
ALTER TABLE sample ADD COLUMN caption_unknown TEXT NOT NULL DEFAULT '';  -- its words that were not translated
"""

ADMINS = """
CREATE TABLE admin_notice (                 -- what the admins were told last of each kind of failure
    key TEXT PRIMARY KEY,                   -- of the locales
    told_at REAL NOT NULL                   -- seconds since 1970
) STRICT;
"""

UNDO = """
CREATE TABLE change (                       -- of a style's samples, which their person can take back
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    origin TEXT NOT NULL,                   -- the message or button press that asked: the same one changes once
    made_at REAL NOT NULL,                  -- seconds since 1970
    undone TEXT,                            -- the message or press that took it back; NULL = it stands
    UNIQUE (style, origin)
) STRICT;
CREATE TABLE changed_sample (
    change INTEGER NOT NULL REFERENCES change ON DELETE CASCADE,
    sample INTEGER NOT NULL,                -- its id, also if it is removed
    was TEXT,                               -- JSON: its row before the change; NULL = there was none
    blob TEXT,                              -- its picture before the change, kept as long as this row
    PRIMARY KEY (change, sample)
) STRICT;
CREATE INDEX changed_sample_blob ON changed_sample (blob);
DROP TABLE deed;                            -- removals are changes
"""

FORGETTING = """
CREATE TABLE erasure (                      -- somebody of whom everything is deleted: the row goes last
    person INTEGER PRIMARY KEY,
    language TEXT NOT NULL,
    message_id INTEGER NOT NULL,            -- the bot's message that will tell the end
    asked_at REAL NOT NULL,                 -- seconds since 1970: what came later stays
    with_packs INTEGER NOT NULL,            -- 1: their packs on Telegram, too
    sets TEXT                               -- JSON: names of packs to delete there; NULL = the rows are still there
) STRICT;
"""

ACCESS = """
-- "id" and not "person": these rows outlast what is deleted with /forgetme
CREATE TABLE ban (id INTEGER PRIMARY KEY) STRICT;           -- may not use the bot; maybe never has
CREATE TABLE member (id INTEGER PRIMARY KEY) STRICT;        -- let in by an admin or an invite
CREATE TABLE member_name (name TEXT PRIMARY KEY) STRICT;    -- an @name whose holder becomes a member on writing
CREATE TABLE invite (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE,             -- of its link
    uses_left INTEGER NOT NULL,
    expires_at REAL NOT NULL                -- seconds since 1970
) STRICT;
ALTER TABLE person ADD COLUMN username TEXT;                -- without the @, as of their last message
CREATE INDEX person_username ON person (username COLLATE NOCASE);
"""

IMPORTS = """
CREATE TABLE import (                       -- asks for all pictures of a pack or a zip
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    origin TEXT NOT NULL,                   -- the message or button press that asked
    kind TEXT NOT NULL,                     -- pack | zip
    source TEXT NOT NULL,                   -- pack: its name; zip: Telegram's file_id
    title TEXT NOT NULL,                    -- '' = not known yet
    message_id INTEGER NOT NULL,            -- of the person
    sent_at REAL NOT NULL,                  -- of that message: seconds since 1970
    answer_id INTEGER,                      -- the bot's message that shows how it goes
    state TEXT NOT NULL DEFAULT 'asked',    -- asked | taking | done | stopped | failed
    error TEXT,                             -- failed: a key of the locales
    params TEXT NOT NULL DEFAULT '{}',      -- JSON: what fills that text in
    told INTEGER NOT NULL DEFAULT 0,        -- the end stands in the bot's message
    UNIQUE (person, origin)
) STRICT;
CREATE INDEX import_untold ON import (person) WHERE told = 0;
CREATE INDEX import_style ON import (style);
CREATE TABLE import_item (                  -- its pictures, until the end is told
    import INTEGER NOT NULL REFERENCES import ON DELETE CASCADE,
    position INTEGER NOT NULL,
    file_id TEXT NOT NULL,
    file_unique_id TEXT NOT NULL,
    moves TEXT NOT NULL,                    -- '' | video | animated
    emoji TEXT NOT NULL,
    caption TEXT,
    outcome TEXT,                           -- new | again | same | full, or a refusal's key; NULL = not taken yet
    PRIMARY KEY (import, position)
) STRICT;
ALTER TABLE sample ADD COLUMN pack TEXT;                        -- the sticker set that it is from
ALTER TABLE sample ADD COLUMN emoji TEXT NOT NULL DEFAULT '';   -- the sticker's
"""

STYLES_FOR_OTHERS = """
CREATE TABLE share (                        -- the link by which others draw in a style
    style INTEGER PRIMARY KEY REFERENCES style ON DELETE CASCADE,
    token TEXT NOT NULL UNIQUE,             -- random; kept as it is, so that /share shows the same link again
    made_at REAL NOT NULL                   -- seconds since 1970
) STRICT;
CREATE TABLE guest (                        -- who draws in a style by its link
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES person,
    joined_at REAL NOT NULL,
    PRIMARY KEY (style, person)
) STRICT;
CREATE INDEX guest_person ON guest (person);
CREATE TABLE ready_style (                  -- the ready-made style: one row, which keeps its blob
    keyword TEXT NOT NULL,
    adapter TEXT NOT NULL
) STRICT;
ALTER TABLE job ADD COLUMN lent_keyword TEXT NOT NULL DEFAULT '';   -- draw: put before the prompt in the worker only
ALTER TABLE style ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;   -- 1: made of an adapter file
"""

QUOTAS = """
ALTER TABLE inbox ADD COLUMN upload INTEGER NOT NULL DEFAULT 0;     -- 1: a message with a file
CREATE INDEX inbox_received ON inbox (received_at);
ALTER TABLE sample ADD COLUMN bytes INTEGER;                        -- of its file; NULL = not known yet
ALTER TABLE checkpoint ADD COLUMN bytes INTEGER;                    -- of its adapter; NULL = not known yet
CREATE INDEX checkpoint_of_style ON checkpoint (style);
ALTER TABLE job ADD COLUMN asked_at REAL;                           -- seconds since 1970; NULL = before this column
ALTER TABLE job ADD COLUMN started_at REAL;                         -- its first attempt

CREATE TABLE usage (                        -- what was asked for on a day; "id" and not "person": outlasts /forgetme
    id INTEGER NOT NULL,                    -- of the person
    kind TEXT NOT NULL,                     -- of the jobs
    day INTEGER NOT NULL,                   -- days since 1970, UTC
    used INTEGER NOT NULL,                  -- trainings; pictures
    PRIMARY KEY (id, kind, day)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER job_asked AFTER INSERT ON job BEGIN
    UPDATE job SET asked_at = (julianday('now') - 2440587.5) * 86400.0 WHERE id = new.id;
    INSERT INTO usage (id, kind, day, used) VALUES (new.person, new.kind, unixepoch() / 86400,
        iif(new.kind = 'draw', coalesce(json_extract(new.options, '$.count'), 1), 1))
        ON CONFLICT (id, kind, day) DO UPDATE SET used = used + excluded.used;
END;
CREATE TRIGGER job_started AFTER UPDATE OF state ON job WHEN new.state = 'running' AND new.started_at IS NULL BEGIN
    UPDATE job SET started_at = (julianday('now') - 2440587.5) * 86400.0 WHERE id = new.id;
END;
CREATE TRIGGER job_counted_back AFTER UPDATE OF state ON job
    WHEN old.state != new.state AND (new.state = 'failed' OR (new.state = 'cancelled' AND new.attempt = 0)) BEGIN
    UPDATE usage SET used = used - iif(new.kind = 'draw', coalesce(json_extract(new.options, '$.count'), 1), 1)
        WHERE id = new.person AND kind = new.kind AND day = CAST(new.asked_at / 86400 AS INTEGER);
END;
"""

EXPORTS = """
CREATE TABLE export (                       -- files that a person asked for: deleted when they have been sent
    person INTEGER NOT NULL REFERENCES person,
    kind TEXT NOT NULL,                     -- an ExportKind
    style INTEGER NOT NULL,                 -- 0 = everything; else of this style, if it is still there
    message_id INTEGER,                     -- the bot's message that shows how it goes
    PRIMARY KEY (person, kind, style)
) STRICT;
"""

PACKS_CHANGED = """
ALTER TABLE pack ADD COLUMN kind TEXT NOT NULL DEFAULT 'regular';   -- regular | custom_emoji
ALTER TABLE pack ADD COLUMN copy_of INTEGER REFERENCES pack;        -- the pack that these emoji are copies of
ALTER TABLE pack ADD COLUMN own INTEGER NOT NULL DEFAULT 0;         -- 1: made by its person, with a title of theirs
ALTER TABLE pack ADD COLUMN chosen INTEGER NOT NULL DEFAULT 0;      -- 1: new stickers of all styles go into it

CREATE TABLE pack_change (                  -- what people change in packs, each once, and how to undo it
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    origin TEXT NOT NULL,                   -- the message or button press that asked: the same one asks once
    pack INTEGER REFERENCES pack,           -- NULL = an addition whose pack is not known yet
    kind TEXT NOT NULL,                     -- a ChangeKind
    state TEXT NOT NULL DEFAULT 'wanted',   -- a ChangeState
    item TEXT,                              -- unique file id of the sticker
    sticker INTEGER REFERENCES pack_sticker ON DELETE SET NULL,     -- or how the bot added it
    value TEXT NOT NULL DEFAULT 'null',     -- JSON: a position, emoji, keywords, or a title
    blob TEXT,                              -- a new thumbnail
    old TEXT,                               -- JSON: what was there before
    old_blob TEXT,                          -- the picture that was there before
    problem TEXT,                           -- a key of the locales: why it failed
    undoes INTEGER REFERENCES pack_change ON DELETE SET NULL,
    undone TEXT,                            -- the message or press that took it back; NULL = it stands
    view INTEGER,                           -- the bot's message that shows the pack
    told INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL,                       -- seconds since 1970
    UNIQUE (person, origin)
) STRICT;
CREATE INDEX pack_change_person ON pack_change (person);
CREATE INDEX pack_change_untold ON pack_change (person) WHERE told = 0;
CREATE INDEX pack_change_blob ON pack_change (blob) WHERE blob IS NOT NULL;
CREATE INDEX pack_change_old_blob ON pack_change (old_blob) WHERE old_blob IS NOT NULL;

CREATE TABLE pack_sticker_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person,
    drawing INTEGER UNIQUE REFERENCES drawing,  -- NULL = blob is the picture
    pack INTEGER REFERENCES pack,
    state TEXT NOT NULL DEFAULT 'wanted',   -- a StickerState
    file_id TEXT,                           -- of the uploaded file: adding it again changes nothing
    told INTEGER NOT NULL DEFAULT 0,
    before TEXT,                            -- JSON: unique file ids in the pack before this one was added
    refusals INTEGER NOT NULL DEFAULT 0,    -- of packs' names and of its file
    blob TEXT,                              -- the picture, if it is no drawing
    target INTEGER REFERENCES pack,         -- the pack that it must go into; NULL = the current one
    replaces TEXT,                          -- unique file id of the sticker whose place it takes
    emoji TEXT,                             -- JSON; NULL = those of the drawing's prompt
    keywords TEXT,                          -- JSON, as emoji
    copy_of TEXT,                           -- unique file id of the sticker that this emoji is a copy of
    change INTEGER REFERENCES pack_change ON DELETE SET NULL    -- the change that it belongs to
) STRICT;
INSERT INTO pack_sticker_new (id, person, drawing, pack, state, file_id, told, before, refusals)
    SELECT id, person, drawing, pack, state, file_id, told, before, refusals FROM pack_sticker;
DROP TABLE pack_sticker;
ALTER TABLE pack_sticker_new RENAME TO pack_sticker;
CREATE INDEX pack_sticker_open ON pack_sticker (person, told);
CREATE INDEX pack_sticker_pack ON pack_sticker (pack);
CREATE INDEX pack_sticker_blob ON pack_sticker (blob) WHERE blob IS NOT NULL;
CREATE UNIQUE INDEX pack_sticker_copy ON pack_sticker (person, copy_of) WHERE copy_of IS NOT NULL;

CREATE TABLE pack_item (                    -- the stickers of packs, as Telegram showed them last
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pack INTEGER NOT NULL REFERENCES pack ON DELETE CASCADE,
    unique_id TEXT NOT NULL,
    file_id TEXT NOT NULL,
    position INTEGER NOT NULL,              -- from 0
    emoji TEXT NOT NULL,                    -- JSON; Telegram shows only the first
    keywords TEXT,                          -- JSON; NULL = not known, for Telegram does not show them
    sticker INTEGER UNIQUE REFERENCES pack_sticker ON DELETE SET NULL,  -- how the bot added it
    blob TEXT,                              -- the picture, if it was fetched
    UNIQUE (pack, unique_id)
) STRICT;
CREATE INDEX pack_item_blob ON pack_item (blob) WHERE blob IS NOT NULL;

CREATE TABLE pack_question (                -- what a person is asked, and their next text answers
    person INTEGER PRIMARY KEY REFERENCES person,
    kind TEXT NOT NULL,                     -- new | title | emoji | keywords | move
    id INTEGER NOT NULL,                    -- of the pack, or of the pack_item
    message_id INTEGER NOT NULL,            -- the bot's message that asks
    view INTEGER,                           -- the bot's message that shows the pack
    at REAL NOT NULL                        -- seconds since 1970
) STRICT;
"""

DRAWING_AGAIN = """
ALTER TABLE drawing ADD COLUMN uncut TEXT;       -- blob: the drawing with its background; NULL = not kept
ALTER TABLE drawing ADD COLUMN background TEXT;  -- JSON: the colour [r, g, b] that its prompt asked for
ALTER TABLE drawing ADD COLUMN file_id TEXT;     -- Telegram's, of the sticker that was sent
CREATE INDEX drawing_uncut ON drawing (uncut);
CREATE INDEX drawing_message ON drawing (message_id);
ALTER TABLE job ADD COLUMN uncut TEXT;           -- draw: the blob to cut out again, in place of drawing
ALTER TABLE job ADD COLUMN background TEXT;      -- draw: JSON, the colour of its background
ALTER TABLE job ADD COLUMN chat INTEGER;         -- the group where it was asked for; NULL = the private chat
CREATE INDEX job_uncut ON job (uncut);

DROP TRIGGER job_asked;                          -- cutting out again is no picture more
DROP TRIGGER job_counted_back;
CREATE TRIGGER job_asked AFTER INSERT ON job BEGIN
    UPDATE job SET asked_at = (julianday('now') - 2440587.5) * 86400.0 WHERE id = new.id;
    INSERT INTO usage (id, kind, day, used) VALUES (new.person, new.kind, unixepoch() / 86400,
        iif(new.uncut IS NOT NULL, 0, iif(new.kind = 'draw', coalesce(json_extract(new.options, '$.count'), 1), 1)))
        ON CONFLICT (id, kind, day) DO UPDATE SET used = used + excluded.used;
END;
CREATE TRIGGER job_counted_back AFTER UPDATE OF state ON job
    WHEN old.state != new.state AND (new.state = 'failed' OR (new.state = 'cancelled' AND new.attempt = 0)) BEGIN
    UPDATE usage SET used = used -
        iif(new.uncut IS NOT NULL, 0, iif(new.kind = 'draw', coalesce(json_extract(new.options, '$.count'), 1), 1))
        WHERE id = new.person AND kind = new.kind AND day = CAST(new.asked_at / 86400 AS INTEGER);
END;

CREATE TABLE question (                          -- what the bot has asked: a reply to it is the answer
    person INTEGER NOT NULL,
    message_id INTEGER NOT NULL,                 -- the bot's message
    drawing INTEGER NOT NULL REFERENCES drawing ON DELETE CASCADE,
    PRIMARY KEY (person, message_id)
) STRICT;

CREATE TABLE wish (                              -- words of an inline query, for the link that draws them
    code TEXT NOT NULL,
    person INTEGER NOT NULL,
    words TEXT NOT NULL,
    made_at REAL NOT NULL,                       -- seconds since 1970
    PRIMARY KEY (person, code)
) STRICT;
"""

LARGE_TABLES = """
CREATE INDEX pack_person ON pack (person);
CREATE INDEX pack_copy_of ON pack (copy_of) WHERE copy_of IS NOT NULL;
CREATE INDEX pack_item_unique_id ON pack_item (unique_id);
CREATE INDEX pack_sticker_target ON pack_sticker (target) WHERE target IS NOT NULL;
-- rows that are looked for when the row that they name is deleted
CREATE INDEX person_style ON person (style) WHERE style IS NOT NULL;
CREATE INDEX comparison_style ON comparison (style);
CREATE INDEX pack_sticker_change ON pack_sticker (change) WHERE change IS NOT NULL;
CREATE INDEX pack_change_sticker ON pack_change (sticker) WHERE sticker IS NOT NULL;
CREATE INDEX pack_change_undoes ON pack_change (undoes) WHERE undoes IS NOT NULL;
"""

REPORTS = """
CREATE TABLE report (                       -- a guest tells the admins that something is wrong with a shared style
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES person,      -- who reports; the style's owner is never told
    reason TEXT NOT NULL,                   -- a Reason
    state TEXT NOT NULL DEFAULT 'open',     -- open | dismissed
    at REAL NOT NULL,                       -- seconds since 1970
    PRIMARY KEY (style, person)
) STRICT;
CREATE INDEX report_person ON report (person);
CREATE INDEX report_open ON report (style) WHERE state = 'open';
CREATE TABLE report_notice (                -- the message that tells an admin of a style's open reports
    style INTEGER NOT NULL REFERENCES style ON DELETE CASCADE,
    person INTEGER NOT NULL,                -- the admin, who may never have written
    message_id INTEGER,                     -- NULL = it could not be sent
    reports INTEGER NOT NULL,               -- how many it tells of
    PRIMARY KEY (style, person)
) STRICT;
"""

QUESTIONS = """
ALTER TABLE question RENAME TO old_question;
CREATE TABLE question (                          -- what a person is asked, and their next text answers
    person INTEGER NOT NULL REFERENCES person,
    chat INTEGER NOT NULL,                       -- where it was asked
    message_id INTEGER NOT NULL,                 -- the bot's message that asks
    kind TEXT NOT NULL,                          -- what is asked: bot/handlers/answers.py
    id INTEGER NOT NULL,                         -- of the drawing, the style, the pack, or the pack_item; else 0
    view INTEGER,                                -- the bot's message that shows the pack
    at REAL NOT NULL,                            -- seconds since 1970
    answer INTEGER,                              -- the message that answered; 0 = no longer waited for
    PRIMARY KEY (person, chat, message_id)
) STRICT;
INSERT INTO question SELECT person, person, message_id, 'without', drawing, NULL, unixepoch(), 0 FROM old_question
    WHERE person IN (SELECT id FROM person);
INSERT OR REPLACE INTO question SELECT person, person, message_id, kind, id, view, at, NULL FROM pack_question;
CREATE INDEX job_message ON job (message_id) WHERE message_id IS NOT NULL;
DROP TABLE old_question;
DROP TABLE pack_question;
"""

STYLES_NAMED = """
ALTER TABLE job ADD COLUMN trained_as TEXT NOT NULL DEFAULT '';  -- draw: what the worker reads in place of the keyword
ALTER TABLE job ADD COLUMN lent_name TEXT NOT NULL DEFAULT '';   -- draw: what people read of a style of somebody else
UPDATE job SET lent_name = coalesce((SELECT keyword FROM style WHERE style.id = job.style), '')
    WHERE lent_keyword != '';
ALTER TABLE change ADD COLUMN renamed TEXT;      -- the style's keyword before this change; NULL = it stays
"""

FOUND_BY_TIDY = """
-- rows that are looked for when a pack or a blob is deleted
CREATE INDEX pack_change_pack ON pack_change (pack);
CREATE INDEX checkpoint_adapter ON checkpoint (adapter);
CREATE INDEX checkpoint_state ON checkpoint (state) WHERE state IS NOT NULL;
CREATE INDEX comparison_sheet ON comparison (sheet);
"""

SHARES_HASHED = """
UPDATE share SET token = sha256(token);          -- as a password's token: who reads the database opens no link
ALTER TABLE share RENAME COLUMN token TO token_hash;
"""

KNOWN_SINCE = """
-- when the first message of the person was sent, seconds since 1970: edits of earlier ones change nothing
ALTER TABLE person ADD COLUMN since REAL NOT NULL DEFAULT 0;
"""

PARTS_COUNTED_BACK = """
DROP TRIGGER job_counted_back;                   -- of a draw that fails in part, what was drawn still counts
CREATE TRIGGER job_counted_back AFTER UPDATE OF state ON job
    WHEN old.state != new.state AND (new.state = 'failed' OR (new.state = 'cancelled' AND new.attempt = 0)) BEGIN
    UPDATE usage SET used = used - iif(new.uncut IS NOT NULL, 0, iif(new.kind = 'draw',
        max(0, coalesce(json_extract(new.options, '$.count'), 1) -
            (SELECT count(*) FROM drawing WHERE job = new.id)), 1))
        WHERE id = new.person AND kind = new.kind AND day = CAST(new.asked_at / 86400 AS INTEGER);
END;
"""

SHARING_BARRED = """
ALTER TABLE style ADD COLUMN barred INTEGER NOT NULL DEFAULT 0;  -- 1: an admin has ended its sharing
"""

MIGRATIONS = (
    FIRST,
    CHECKPOINTS_COMPARED,
    FINDINGS,
    DRAW_OPTIONS,
    CHOICE_REASONS,
    NOTHING_LOST,
    SUPERVISION,
    OWN_LANGUAGE,
    ADMINS,
    UNDO,
    FORGETTING,
    ACCESS,
    IMPORTS,
    STYLES_FOR_OTHERS,
    QUOTAS,
    EXPORTS,
    PACKS_CHANGED,
    DRAWING_AGAIN,
    LARGE_TABLES,
    REPORTS,
    QUESTIONS,
    STYLES_NAMED,
    FOUND_BY_TIDY,
    SHARES_HASHED,
    KNOWN_SINCE,
    PARTS_COUNTED_BACK,
    SHARING_BARRED,
)
