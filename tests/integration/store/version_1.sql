-- A store of layout 1 as it was written then, never to be changed: `ID`, `REF` and `BYTES` stand for each database's own types, and
-- `BYTES'...'` for its literal of them in hexadecimal. Statements end with a semicolon at the end of a line.

CREATE TABLE schema_version (
    version INTEGER NOT NULL
);

CREATE TABLE authorities (
    id ID NOT NULL,
    label VARCHAR(255) NOT NULL,
    common_name VARCHAR(255) NOT NULL,
    algorithm VARCHAR(32) NOT NULL,
    state VARCHAR(16) NOT NULL,
    crl_validity_days INTEGER NOT NULL,
    certificate BYTES,
    not_after BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (label)
);

CREATE TABLE certificates (
    id ID NOT NULL,
    authority_id REF NOT NULL,
    serial VARCHAR(49) NOT NULL,
    common_name VARCHAR(64) NOT NULL,
    name_key VARCHAR(192) NOT NULL,
    name VARCHAR(255) NOT NULL,
    device VARCHAR(255) NOT NULL,
    profile VARCHAR(16) NOT NULL,
    state VARCHAR(16) NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    public_key_sha256 VARCHAR(64) NOT NULL,
    certificate BYTES,
    intended_at BIGINT NOT NULL,
    issued_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY(authority_id) REFERENCES authorities (id),
    UNIQUE (serial)
);
CREATE INDEX certificates_by_name ON certificates (profile, name);
CREATE INDEX certificates_by_name_key ON certificates (name_key);
CREATE INDEX certificates_by_state ON certificates (profile, state, not_after);
CREATE UNIQUE INDEX one_valid_per_name ON certificates (name_key) WHERE state = 'valid';

CREATE TABLE revocations (
    id ID NOT NULL,
    authority_id REF NOT NULL,
    certificate_id REF NOT NULL,
    revoked_at BIGINT NOT NULL,
    reason VARCHAR(32) NOT NULL,
    entry BYTES NOT NULL,
    not_after BIGINT NOT NULL,
    first_crl_number BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY(authority_id) REFERENCES authorities (id),
    UNIQUE (certificate_id),
    FOREIGN KEY(certificate_id) REFERENCES certificates (id)
);
CREATE INDEX revocations_by_first_crl ON revocations (authority_id, first_crl_number);

CREATE TABLE crls (
    id ID NOT NULL,
    authority_id REF NOT NULL,
    number BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    signed_at_us BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (authority_id, number),
    FOREIGN KEY(authority_id) REFERENCES authorities (id)
);

CREATE TABLE audit (
    sequence REF NOT NULL,
    at_us BIGINT NOT NULL,
    actor VARCHAR(255) NOT NULL,
    job VARCHAR(255) NOT NULL,
    action VARCHAR(64) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    detail TEXT NOT NULL,
    previous VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (sequence)
);

INSERT INTO schema_version (version)
VALUES (1);

INSERT INTO authorities (label, common_name, algorithm, state, crl_validity_days, certificate, not_after, created_at)
VALUES ('ca', 'Test authority', 'ec-p256', 'active', 30, BYTES'636120646572', 2110708800, 1795348800);

INSERT INTO certificates (authority_id, serial, common_name, name_key, name, device, profile, state, not_before, not_after, public_key_sha256, certificate, intended_at, issued_at)
VALUES (1, '1', 'alice@laptop', 'alice@laptop', 'alice', 'laptop', 'client', 'superseded', 1795348800, 1826884800, 'abababababababababababababababababababababababababababababababab', BYTES'6465722031', 1795348800, 1795348800);
INSERT INTO certificates (authority_id, serial, common_name, name_key, name, device, profile, state, not_before, not_after, public_key_sha256, certificate, intended_at, issued_at)
VALUES (1, '2', 'bob@laptop', 'bob@laptop', 'bob', 'laptop', 'client', 'revoked', 1795348800, 1826884800, 'abababababababababababababababababababababababababababababababab', BYTES'6465722032', 1795348800, 1795348800);
INSERT INTO certificates (authority_id, serial, common_name, name_key, name, device, profile, state, not_before, not_after, public_key_sha256, certificate, intended_at, issued_at)
VALUES (1, '3', 'alice@laptop', 'alice@laptop', 'alice', 'laptop', 'client', 'valid', 1795348800, 1826884800, 'abababababababababababababababababababababababababababababababab', BYTES'6465722033', 1795348800, 1795348800);
INSERT INTO certificates (authority_id, serial, common_name, name_key, name, device, profile, state, not_before, not_after, public_key_sha256, certificate, intended_at, issued_at)
VALUES (1, '9', 'carol@phone', 'carol@phone', 'carol', 'phone', 'client', 'intended', 1795348800, 1826884800, '', NULL, 1795348800, NULL);

INSERT INTO revocations (authority_id, certificate_id, revoked_at, reason, entry, not_after, first_crl_number)
VALUES (1, 2, 1795348800, 'superseded', BYTES'656e74727920323b', 1826884800, 1);

INSERT INTO crls (authority_id, number, state, this_update, next_update, signed_at_us, entries, sha256)
VALUES (1, 1, 'signed', 1795348801, 1797940801, 1795348801250000, 1, '0d91ed41c21fad20e4a6cdb65ae9532aa6e62ab8868e6b11237e772cc852c928');

INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (1, 1795348800250000, 'admin', 'job 7', 'authority.intended', 'ca', '{"algorithm":"ec-p256","common_name":"Test authority"}', '0000000000000000000000000000000000000000000000000000000000000000', '0952b41ef43a9244d1503b12b6900fd5102e77035ef2e7ce307ecb26a780defe');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (2, 1795348800250000, 'admin', 'job 7', 'authority.activated', 'ca', '{"not_after":2110708800,"sha256":"1f9b8b3b8408bbcba816db8a9703588d6133cd8719d56c3b75b5ebe38298de60"}', '0952b41ef43a9244d1503b12b6900fd5102e77035ef2e7ce307ecb26a780defe', '71f677ac34e24f183b44f99221e0ac7085762f1e38c364d606b6725c52cf8421');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (3, 1795348800250000, 'admin', 'job 7', 'certificates.intended', 'ca', '{"serials":["1"]}', '71f677ac34e24f183b44f99221e0ac7085762f1e38c364d606b6725c52cf8421', '43200ecab3c54c013989822049b5503b24bbd6e486b8936d1f48050872c2874f');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (4, 1795348800250000, 'admin', 'job 7', 'certificate.issued', '1', '{"common_name":"alice@laptop","not_after":1826884800,"profile":"client","sha256":"c24f6b5f524cb5710e3356958fc1c6e93446b4c89682fd95b83f93c0d3c5786a"}', '43200ecab3c54c013989822049b5503b24bbd6e486b8936d1f48050872c2874f', 'f897487ee25bf54e3a4270122370b7770bcb5df7bc1c00826d1c05e300cf6f1b');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (5, 1795348800250000, 'admin', 'job 7', 'certificates.intended', 'ca', '{"serials":["2"]}', 'f897487ee25bf54e3a4270122370b7770bcb5df7bc1c00826d1c05e300cf6f1b', '53cdbdbab7807f57fc0734506b4783b7d36dcddf938cb9030e58aed6f82ffd10');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (6, 1795348800250000, 'admin', 'job 7', 'certificate.issued', '2', '{"common_name":"bob@laptop","not_after":1826884800,"profile":"client","sha256":"807f20f7081b4d1a38652e808201a557e9a7dd83108e69778a4339515939b3f0"}', '53cdbdbab7807f57fc0734506b4783b7d36dcddf938cb9030e58aed6f82ffd10', 'e49943b7851b156e6b66ac1e45c5df0e0a74d3ed2350656bfa4cce2a9c04f07d');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (7, 1795348800250000, 'admin', 'job 7', 'certificates.intended', 'ca', '{"serials":["3"]}', 'e49943b7851b156e6b66ac1e45c5df0e0a74d3ed2350656bfa4cce2a9c04f07d', '213ec05bed1837c4341267790823da2a38f69d1752bb0e3668e34acc8b91842a');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (8, 1795348800250000, 'admin', 'job 7', 'certificate.superseded', '1', '{"common_name":"alice@laptop"}', '213ec05bed1837c4341267790823da2a38f69d1752bb0e3668e34acc8b91842a', '8f9f54ef4a21ad2ce953899c8dbeefda1f36bb918c3d4b4bb6335234054d7b47');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (9, 1795348800250000, 'admin', 'job 7', 'certificate.issued', '3', '{"common_name":"alice@laptop","not_after":1826884800,"profile":"client","sha256":"ae15dbdb54906e33e9ff67edb605d0a9b2d68bcd09225cb5f093d17a90d7f55b"}', '8f9f54ef4a21ad2ce953899c8dbeefda1f36bb918c3d4b4bb6335234054d7b47', 'c71f4bf4dd1450304dcbf6d9a263a1937eacee423121a9a716e7162424bb8924');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (10, 1795348800250000, 'admin', 'job 7', 'certificate.revoked', '2', '{"common_name":"bob@laptop","reason":"superseded","revoked_at":1795348800}', 'c71f4bf4dd1450304dcbf6d9a263a1937eacee423121a9a716e7162424bb8924', '00eb76b4c5aca796156f75475757bfb4cc9ba0359473919ac287790ca132814e');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (11, 1795348800250000, 'admin', 'job 7', 'crl.intended', '1', '{"authority":"ca","this_update":1795348801}', '00eb76b4c5aca796156f75475757bfb4cc9ba0359473919ac287790ca132814e', 'da8d437fdd45fa4e25d3bd2d0ceee2c7958ef8e3a6ec94fa8714a7079e11fff3');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (12, 1795348800250000, 'admin', 'job 7', 'crl.signed', '1', '{"authority":"ca","entries":1,"sha256":"0d91ed41c21fad20e4a6cdb65ae9532aa6e62ab8868e6b11237e772cc852c928"}', 'da8d437fdd45fa4e25d3bd2d0ceee2c7958ef8e3a6ec94fa8714a7079e11fff3', 'f49c23a6b37dc59e5179b8ef25773a94019cf0d6b71dea66b5476ef3014bddcc');
INSERT INTO audit (sequence, at_us, actor, job, action, subject, detail, previous, hash)
VALUES (13, 1795348800250000, 'admin', 'job 7', 'certificates.intended', 'ca', '{"serials":["9"]}', 'f49c23a6b37dc59e5179b8ef25773a94019cf0d6b71dea66b5476ef3014bddcc', 'dea498542e0f72f583278a6013e05ac375298a654502299433d4956e0ed95777');
