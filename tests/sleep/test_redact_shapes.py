"""Secrets of every shape, in every place people leave them, and the ordinary words beside them."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillopt_sleep.redact import redact, redact_all
from skillopt_sleep.sources.draft import clean

R = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3"
HEX = "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a"
DIGITS = "1234567890123"
B64 = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY3ODkwQUJDREVGR0hJSktM"

TOKENS = {
    "openai": f"sk-{R[:48]}",
    "openai project": f"sk-proj-{R[:40]}_{R[40:70]}",
    "openai service account": f"sk-svcacct-{R[:60]}",
    "anthropic": f"sk-ant-api03-{R[:40]}-{R[40:70]}_AA",
    "anthropic login": f"sk-ant-oat01-{R[:60]}",
    "github classic": f"ghp_{R[:36]}",
    "github oauth": f"gho_{R[:36]}",
    "github user": f"ghu_{R[:36]}",
    "github server": f"ghs_{R[:36]}",
    "github refresh": f"ghr_{R[:60]}",
    "github fine-grained": f"github_pat_{R[:22]}_{R[22:81]}",
    "gitlab": f"glpat-{R[:20]}",
    "gitlab deploy": f"gldt-{R[:20]}",
    "gitlab runner": f"glrt-{R[:20]}",
    "slack bot": f"xoxb-{DIGITS}-{DIGITS}-{R[:24]}",
    "slack user": f"xoxp-{DIGITS}-{DIGITS}-{DIGITS}-{HEX[:32]}",
    "slack app": f"xapp-1-A0{R[:9].upper()}-{DIGITS}-{HEX}",
    "slack webhook": f"https://hooks.slack.com/services/T0{DIGITS[:8]}/B0{DIGITS[:8]}/{R[:24]}",
    "npm": f"npm_{R[:36]}",
    "pypi": f"pypi-AgEIcHlwaS5vcmc{R[:60]}",
    "hugging face": f"hf_{R[:34]}",
    "stripe live": f"sk_live_{R[:24]}",
    "stripe restricted": f"rk_live_{R[:24]}",
    "stripe test": f"sk_test_{R[:24]}",
    "stripe webhook": f"whsec_{R[:32]}",
    "google key": f"AIzaSy{R[:33]}",
    "google access": f"ya29.a0{R[:60]}",
    "google client": f"GOCSPX-{R[:28]}",
    "google refresh": f"1//0g{R[:40]}-{R[40:60]}",
    "aws id": "AKIAIOSFODNN7EXAMPLE",
    "aws session id": "ASIAQWERTYUIOP234567",
    "sendgrid": f"SG.{R[:22]}.{R[22:65]}",
    "jwt": f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{R[:43]}",
    "groq": f"gsk_{R[:52]}",
    "xai": f"xai-{R[:80]}",
    "perplexity": f"pplx-{R[:48]}",
    "replicate": f"r8_{R[:37]}",
    "nvidia": f"nvapi-{R[:64]}",
    "langsmith": f"lsv2_pt_{HEX[:32]}_{HEX[:10]}",
    "docker": f"dckr_pat_{R[:27]}",
    "linear": f"lin_api_{R[:40]}",
    "notion": f"ntn_{R[:46]}",
    "figma": f"figd_{R[:40]}",
    "shopify": f"shpat_{HEX[:32]}",
    "sentry": f"sntryu_{HEX[:64]}",
    "digitalocean": f"dop_v1_{HEX[:64]}",
    "grafana": f"glsa_{R[:32]}_{HEX[:8]}",
    "postman": f"PMAK-{HEX[:24]}-{HEX[:34]}",
    "newrelic": f"NRAK-{R[:27].upper()}",
    "databricks": f"dapi{HEX[:32]}",
    "pulumi": f"pul-{HEX[:40]}",
    "tailscale": f"tskey-auth-{R[:17]}-{R[17:50]}",
    "supabase": f"sbp_{HEX[:40]}",
    "resend": f"re_{R[:8]}_{R[8:32]}",
    "posthog": f"phx_{R[:43]}",
    "atlassian": f"ATATT3xFfGF0{R[:60]}",
    "vault": f"hvs.CAESI{R[:40]}",
    "telegram": f"1234567890:AAH{R[:32]}",
    "discord": f"MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.{R[:27]}",
    "discord webhook": f"https://discord.com/api/webhooks/{DIGITS}{DIGITS[:5]}/{R[:68]}",
    "age": f"AGE-SECRET-KEY-1{R[:58].upper()}",
    "mailgun": f"key-{HEX[:32]}",
    "pinecone": f"pcsk_{R[:40]}",
    "tavily": f"tvly-dev-{R[:32]}",
    "rsa key": f"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA{R[:48]}\n{B64}\n"
    "-----END RSA PRIVATE KEY-----",
    "openssh key cut": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{B64}\n{R[:64]}",
    "key in one line": f"-----BEGIN PRIVATE KEY-----\\n{B64}\\n{R[:64]}\\n-----END PRIVATE KEY-----\\n",
    "key in two escapes": f"-----BEGIN EC PRIVATE KEY-----\\\\n{B64}\\\\n-----END EC PRIVATE KEY-----",
    "pgp key": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n{B64}\n=aB3d\n"
    "-----END PGP PRIVATE KEY BLOCK-----",
    "key indented": f"-----BEGIN PRIVATE KEY-----\n    {B64}\n    {R[:64]}\n    -----END PRIVATE KEY-----",
}  # fmt: skip
"""A name, and a token that is one wherever it stands."""

FRAMES = (
    *r"""
@@
use @@ now
KEY=@@
export TOKEN=@@
a = "@@"
'@@'
`@@`
(@@)
[@@]
<@@>
@@, and
@@; next
/home/dev/@@.txt
feature/@@
proj-@@
é@@é
漢@@漢
https://x.example/?a=@@&b=1
https://@@@x.example/
-H 'X-Api-Key: @@'
{"key": "@@"}
key: @@  # mine
--token=@@
--token @@
| @@ |
**@@**
@@.
@@!
@@: no such file
""".strip().splitlines(),
    "x\n@@\ny",
    "x\r\n@@\r\ny",
    "\t@@\t",
    "\u200b@@\u200b",
)


def leftovers(secret: str, cleaned: str) -> list[str]:
    """The pieces of eight drawn characters that are left of a secret."""
    drawn = [word for word in secret.replace("\\n", "\n").split() if word in (R, B64)] or [secret]
    body = max(drawn, key=len)
    marks = ("PRIVATE", "-----", "Version")
    whole = R + R.upper() + HEX + B64
    return [
        body[at : at + 8]
        for at in range(len(body) - 7)
        if body[at : at + 8] in whole
        and body[at : at + 8] in cleaned
        and not any(m in body[at : at + 8] for m in marks)
    ]


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_is_one_wherever_it_stands(name: str) -> None:
    secret = TOKENS[name]
    for frame in FRAMES:
        text = frame.replace("@@", secret)
        cleaned = redact(text)
        assert secret not in cleaned, text
        assert not leftovers(secret, cleaned), (text, cleaned)
        assert "[redacted:" in cleaned
        assert redact(cleaned) == cleaned


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_in_another_spelling(name: str) -> None:
    secret = TOKENS[name]
    for text in (
        json.dumps({"line": f"first\n{secret}\nlast"}),
        json.dumps(json.dumps({"k": secret})),
        json.dumps({"é\t": "\t" + secret}),
        f"token%3D{quote(secret, safe='')}%26x" if "PRIVATE" not in secret and "/" not in secret else secret,
        f"\\u0022{secret}\\u0022",
    ):
        cleaned = redact(text)
        assert not leftovers(secret, cleaned), (text, cleaned)


@pytest.mark.parametrize(
    "name", [name for name, secret in TOKENS.items() if "PRIVATE" not in secret and "/" not in secret]
)
def test_a_token_in_a_folder_that_a_client_named_after_a_path(name: str) -> None:
    mangled = "".join(char if char.isalnum() else "-" for char in f"/home/dev/app-{TOKENS[name]}")
    if name not in ("telegram", "discord", "jwt"):
        assert not leftovers(TOKENS[name], redact(mangled))


PASSWORD = "hunter2x"
PLACES = (
    *r"""
postgres://bob:@@@db.example/x
redis://:@@@cache:6379
amqps://u:@@@h
https://bob:@@@x.example/p?q=1
postgresql+asyncpg://bob:@@@localhost:5432/db
DATABASE_URL=mysql://root:@@@127.0.0.1/shop
ftp://a.b:@@@h
"mongodb+srv://bob:@@@c.example/?w=1"
url: smtp://bob%40x:@@@mail
git clone https://oauth2:@@@git.example/x
curl -u bob:@@ https://x
curl -u 'bob:@@' x
curl --user "bob:@@" x
curl --user=bob:@@ x
curl -ubob:@@ x
curl --proxy-user bob:@@ x
wget --user=bob --password=@@ x
http -a bob --password @@ x
mysql -u root -p@@ shop
mysqldump -h h -p@@ shop > x
sshpass -p @@ ssh h
sshpass -p@@ ssh h
redis-cli -h h -a @@ ping
mongosh -u bob -p @@ h
docker login -u bob -p @@ r.example
openssl enc -pass pass:@@ -in x
machine h login bob password @@
password=@@
password = @@
password: @@
Password: @@
PASSWORD=@@
passwd:@@
passwd=@@
pwd=@@
DB_PASSWORD=@@
export PGPASSWORD=@@
PGPASSWORD=@@ psql -h h
$env:DB_PASSWORD = '@@'
set MYSQL_PWD=@@
db_pass=@@
{"password": "@@"}
{"password":"@@"}
{\"password\": \"@@\"}
{'password': '@@'}
{password: '@@'}
password: '@@'
password = "@@"
password => '@@'
  - password: @@
password := `@@`
os.environ["DB_PASSWORD"] = "@@"
setenv('DB_PASSWORD', '@@')
<password>@@</password>
spring.password=@@
--password @@
--password=@@
--db-password '@@'
-password @@
/?password=@@&x=1
the password is @@
My password was @@ before
Passwort: @@
passphrase: @@
password%3D@@
const password = '@@';
f(user='bob', password='@@')
f(password=@@)
{password:@@,user:bob}
user=bob;password=@@;host=h
ENV DB_PASSWORD="@@"
Authorization: Basic Ym9iOmh1bnRlcjJ4MTIz@@
password=@@, user=bob
password=@@; echo done
`password=@@`
admin_password: "@@"  # change
**Password:** @@
CREATE USER etl WITH PASSWORD '@@';
CREATE USER etl PASSWORD '@@'
ALTER USER bob IDENTIFIED BY '@@'
ALTER USER bob IDENTIFIED WITH caching_sha2_password BY '@@'
ansible_become_pass: @@
db_pass: @@
use the password @@
sudo password @@ please
the password is still @@
my pw: @@
pw=@@
la contraseña es @@
contraseña: @@
clave: @@ y sigue
la clave es @@.
le mot de passe est @@
mot de passe : @@
senha: @@
a senha é @@
la password è @@
wachtwoord: @@
het wachtwoord is @@
das Passwort ist immer noch @@
Kennwort: @@
kubectl create secret generic x --from-literal=pw=@@
kubectl create secret generic x --from-literal=a='@@'
jdbc:oracle:thin:scott/@@@//h:1521/x
smbclient -U bob%@@ //h/s
""".strip().splitlines(),
    "--password \\\n  @@",
    "PASSWORD=@@\r",
    "password: @@\nuser: bob",
    "root_password=@@\n",
)


@pytest.mark.parametrize("place", PLACES)
def test_a_password_is_known_by_its_place(place: str) -> None:
    text = place.replace("@@", PASSWORD)
    cleaned = redact(text)
    assert PASSWORD not in cleaned, cleaned
    assert redact(cleaned) == cleaned


@pytest.mark.parametrize("sign", "!#$%^*-+~?./_@")
@pytest.mark.parametrize(
    "place", ["PASSWORD=@@", 'password: "@@"', "password: @@", "--password @@", "password=@@"]
)
def test_a_password_holds_other_signs(place: str, sign: str) -> None:
    for secret in (f"hunt{sign}er{sign}2x9", f"{sign}hunter2x9", f"hunter2x9{sign}"):
        if secret[0] == "$" or (secret[0] == "-" and "--" in place):
            continue
        cleaned = redact(place.replace("@@", secret))
        assert "hunt" not in cleaned, cleaned
        assert "2x9" not in cleaned, cleaned


@pytest.mark.parametrize("sign", "&;,(){}[]|")
@pytest.mark.parametrize("place", ["PASSWORD=@@", "export PASSWORD=@@", "password: @@", "--password=@@"])
def test_a_password_without_quotes_is_not_cut(place: str, sign: str) -> None:
    cleaned = redact(place.replace("@@", f"hun7{sign}er9{sign}x4"))
    assert "er9" not in cleaned, cleaned
    assert "x4" not in cleaned, cleaned


DRAWN = R[:32]
NAMED = (
    *r"""
DATABASE_KEY=@@
API_KEY=@@
api_key: @@
apiKey: '@@'
"apiKey": "@@"
X-Api-Key: @@
x-api-key=@@
ACCESS_TOKEN=@@
access_token: @@
{"access_token":"@@"}
client_secret=@@
clientSecret: "@@"
SECRET_KEY = '@@'
secret: @@
AWS_SECRET_ACCESS_KEY=@@
aws_session_token = @@
PRIVATE_KEY=0x@@
ENCRYPTION_KEY=@@
signing_key: @@
AccountKey=@@==;EndpointSuffix=x
SharedAccessKey=@@=
GITHUB_PAT=@@
https://x.blob.example/a?sv=1&sig=@@%3D
X-Amz-Signature=@@
X-Amz-Security-Token=@@
Authorization: @@
Authorization: Bearer @@
authorization: token @@
'Authorization': 'Bearer @@'
Bearer @@
bearer @@
Cookie: session=@@; theme=dark
Set-Cookie: sid=@@; Path=/
Cookie: a=1; connect.sid=s%3A@@.x
//r.example/:_authToken=@@
_auth=@@
--token @@
--api-key @@
--secret=@@
-H 'Authorization: Bearer @@'
credentials: @@
DJANGO_SECRET_KEY='@@'
token = "@@"
token=@@
?token=@@&x=1
setenv('API_KEY', '@@')
webhook_secret: @@
NEXTAUTH_SECRET=@@
JWT_SECRET=@@
master_key: @@
refresh_token\": \"@@\"
headers['X-Api-Key'] = '@@'
token%3D@@%26
--api-key @@
""".strip().splitlines(),
)


@pytest.mark.parametrize("place", NAMED)
@pytest.mark.parametrize("value", [DRAWN, HEX[:40], B64[:44]])
def test_what_is_drawn_is_known_by_its_name(place: str, value: str) -> None:
    text = place.replace("@@", value)
    cleaned = redact(text)
    assert value not in cleaned, cleaned
    assert value[:8] not in cleaned, cleaned
    assert value[-8:] not in cleaned, cleaned
    assert redact(cleaned) == cleaned


ORDINARY = """\
use sk-toolkit for task-management, not sk-learn-something-long
a risk-assessment of the desk-booking-service and disk-usage-analyzer-for-linux
commit 237af73786b093176c62842dac71a044146870e8 broke it
git show 237af73 && git log --oneline 237af73786b0..HEAD
session f0057d22-2ba9-489a-b68d-b4bbc9f9e1f8
the token: a word; max_tokens=4096; token_count: 12
rename the password field, the password: see the vault
fix the tokenizer, the secret is to start early
git commit -m 'fix token: rotate them'
docker run -u 1000:1000 x
docker run -u node:node x
chown -R -u app:app /srv
http://localhost:8080/@scope/pkg and git@github.com:me/repo.git
https://github.com/user/repo/blob/main/src/a.py#L10-L20
ssh://git@git.example:2222/team/repo.git
PASSWORD=$DB_PASSWORD and token=${TOKEN} and password=<yours>
password = os.environ['DB_PASSWORD']
API_KEY=$API_KEY npm run build
api_key = os.environ["API_KEY"]
api_key=os.getenv("API_KEY")
const apiKey = process.env.API_KEY;
const token = await getToken();
token = get_token()
token = self._next_token()
let token = parser.next_token2();
api_key: str
password: str
password: string;
password: Optional[str] = None
password: SecretStr = Field(...)
password?: string
def login(user: str, password: str) -> Token:
login(user=user, password=password)
connect(password=db_password, user=name)
auth(username, password)
password=None, token=None
{"password": null, "token": true}
{"type": "password", "name": "password"}
<input type="password" name="password" id="password-field">
"password": "string"
password: "The password field is required"
passwordLabel: "Enter your password"
the password field is required
Error: password is incorrect
password is required and must be at least 8 characters
Your password is too short, pick a longer one
password_min_length=12
password_field = "user_password"
PASSWORD_FILE=/run/secrets/db_password
token_type: bearer
token_url: https://x.example/oauth/token
tokenizer: cl100k_base
tokens_per_second=1234567.89
expires_at: 2026-10-19T08:41:00Z
token_expires_at: 2026-10-19T08:41:00Z
secret_name: my-app-secret-name-in-vault
secretKeyRef: name: db-credentials-v2
key: value
key: items-per-page
key={item.id}
key={`row-${index}`}
cache_key: "user:12:profile"
primary_key=True
foreign_key: order_items_2024
"keys": ["a", "b", "c"]
sort_key = lambda item: item.name
for key, value in items.items():
KEY_LENGTH = 256
keyboard=abcdefghij0123456789
monkey: banana
hotkey: ctrl+shift+p
pnpm install --frozen-lockfile
npm_config_registry=https://registry.example
npm_package_config_some_long_name
hf_transformers_model_name_or_path_for_tests
github_pat_token_configuration_name
authorization: everyone may read
Authorization: Basic authentication
Authorization: Bearer <token>
Authorization: Bearer $TOKEN
headers = {"Authorization": f"Bearer {token}"}
basic authentication-header-names
bearer of bad news, basic understanding-of-things
cookie: yes please
Set-Cookie: theme=dark; Path=/
-----BEGIN CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
"integrity": "sha512-aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3kL5m=="
sha256:9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a
resolved "https://registry.example/x/-/x-1.2.3.tgz#9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a"
version = "2.31.0-beta.4+build.567"
color: #1a2b3c; background: #ffeedd88
margin: 0 auto; padding: 10px 20px
/home/dev/code/app/src/components/UserProfileCard2.test.tsx
node_modules/.pnpm/react@18.2.0/node_modules/react/index.js
dist/assets/index-4f8a7b6c.js
test_known_shapes_are_replaced_wherever_they_stand_in_a_text
thisIsAVeryLongCamelCaseIdentifierWithNumber2AndMore3
MAX_CONCURRENT_CONNECTIONS_PER_HOST_V2
arn:aws:iam::123456789012:role/my-role-name
x-request-id: f0057d22-2ba9-489a-b68d-b4bbc9f9e1f8
trace_id=237af73786b093176c62842dac71a044
mkdir -p src/components/forms
cp -pr a b; ps -aux; psql -U bob -d shop -p 5432
mysql -u root -p shop
mysql -u root -P3306 shop
git push -u origin feature:main
python -u train.py
sort -u file:name
python -m pytest tests/test_auth.py::test_password_reset -q
pytest -k "password or token"
grep -rn "api_key" src/ | head
sed -i 's/password/passphrase/' docs/auth.md
rg "token: string" --type ts
kubectl get secret my-secret -o jsonpath='{.data.password}'
gh secret set API_TOKEN
aws secretsmanager get-secret-value --secret-id prod/db
if token == expected_token:
assert response.json()["token"] == user.token
token !== null && token.length > 0
type Token = { kind: "number"; value: string }
enum TokenKind { Plus, Minus, Number2 }
secrets: inherit
password: ${{ secrets.DB_PASSWORD }}
password: {{ vault_db_password }}
password: !vault |
password=%(db_password)s
password="***"
password=xxxxxxxx
password=[redacted:password]
PWD=/home/dev/code/app
OLDPWD=/home/dev
compass=north2 bypass=12 passed=12 failed=3
PASS: test_login_2 (0.12s)
pass=12 fail=3
the sign: a signature of fn(a: u32) -> u64
signature: "def f(a, b=2)"
design=flat assigned=3
salt=to-taste
author: Robin2 <robin@x.example>
author_id=1234567890123
credentials: include
withCredentials: true
session_id=12
SELECT password FROM users WHERE id = 12
passwords and secrets and tokens and keys
Use a token: create one under Settings, then paste it.
See https://x.example/docs/authentication#api-keys for the key.
mailto:bob@x.example and bob@x.example:22
user@host:/var/www/html
10:15:32.123 INFO token refreshed in 12ms
data:image/png;base64,iVBORw0KGgo=
Python 3.11.7 [GCC 12.2.0] on linux
password reset for user12, the password field2
use password authentication, not the password prompt
set the password policy; the password is still required
clave: la idea
la clave es usar node20-alpine
la contraseña es obligatoria, senha: obrigatória
le mot de passe est obligatoire
pw: true
first_pass: 12345678
second-pass: 2026-11-21
all_pass: v2.3.1-rc1
tests_pass: first_pass
kubectl create configmap x --from-literal=colour=bluegreen
curl -w '%{http_code}' -u bob x%y
date -u +%Y-%m-%d
identified by 'x' and the others
jdbc:oracle:thin:@h:1521:x
""".splitlines()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text
    assert redact(f"first line\n  {text}\nlast line") == f"first line\n  {text}\nlast line"
    assert redact(f"> {text}") == f"> {text}"


def test_the_tables_are_as_long_as_they_must_be() -> None:
    assert len(TOKENS) >= 60
    assert len(ORDINARY) >= 120


EDGES = st.text(st.characters(exclude_categories=["L", "N", "Cs"]), max_size=1)
AROUND = st.text(max_size=30) | st.sampled_from(
    ["password=", "token: ", "://", "-u ", "Bearer ", '"', "KEY="]
)


@given(st.sampled_from(sorted(TOKENS)), AROUND, EDGES, EDGES, AROUND)
def test_a_token_never_survives_what_stands_around_it(
    name: str, before: str, left: str, right: str, after: str
) -> None:
    secret = TOKENS[name]
    left = left or " "
    if left in "%\\":
        left = " "
    assert secret not in redact(before + left + secret + (right or " ") + after)


@given(st.text(max_size=400))
def test_any_text_can_be_redacted_and_grows_no_longer_than_its_marks(text: str) -> None:
    cleaned = redact(text)
    assert redact(cleaned) == cleaned
    assert len(cleaned) <= len(text) + 24 * (cleaned.count("[redacted:") + 1)


@given(st.lists(st.sampled_from([*ORDINARY, *TOKENS.values(), "password", "="]), max_size=6))
def test_many_texts_at_once_are_as_one_by_one(texts: list[str]) -> None:
    assert redact_all(texts) == [redact(text) for text in texts]


@pytest.mark.parametrize("name", TOKENS)
def test_no_half_is_left_when_a_text_is_clipped(name: str) -> None:
    secret = TOKENS[name]
    text = f"before {secret} after"
    for limit in range(1, len(text)):
        assert not leftovers(secret, clean(text, limit))


@pytest.mark.parametrize("mark", ["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY"])
def test_what_is_left_of_a_key_goes_at_either_end(mark: str) -> None:
    lines = [B64, R[:64], B64[:20]]
    whole = "\n".join([f"-----BEGIN {mark}-----", *lines, f"-----END {mark}-----"])
    begin = whole.index("\n")
    for cut in range(begin + 30, len(whole) - 8):
        head, tail = whole[:cut], whole[cut - begin - 24 :]
        assert not any(line[-12:] in redact(head) for line in lines), head
        if "-----END" in tail:
            assert not any(line[:12] in redact(tail) for line in lines), tail


def test_base64_of_a_user_and_password_is_one_after_its_scheme() -> None:
    word = base64.b64encode(b"bob:hunter").decode()
    assert word not in redact(f"Authorization: Basic {word}")
