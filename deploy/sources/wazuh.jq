# Wazuh: one alert, as alerts.json has it and an integration sends it.
#
# A customer's Wazuh manager pushes its alerts to /v1/events/<customer>/wazuh; the alert's "id" is the event's
# id ("push": {"sources": {"wazuh": {"id": "id"}}} in the customer's file).
#
# What surprises: numbers inside "data" are texts; "0" pads ids; times have an offset without a colon; agent
# 000 is the manager itself, which has no address.

# RFC 3339: 2026-11-21T18:16:05.123+0000 lacks a colon.
def time:
  if type != "string" then null
  elif .[-5:-4] == "+" or .[-5:-4] == "-" then .[:-2] + ":" + .[-2:]
  else . end;

# What is no text, or an empty one, is absent.
def text: if type == "string" and . != "" and . != "-" then . else null end;

# Decimal, or hex as Windows writes it in its security log.
def number:
  def digit: if . > 96 then . - 87 elif . > 64 then . - 55 else . - 48 end;
  if type == "number" then .
  elif type != "string" then null
  elif startswith("0x") then reduce (.[2:] | explode[]) as $c (0; . * 16 + ($c | digit))
  else tonumber? // null end;

# Wazuh's levels: 12 and above are what it mails people about by default.
def severity:
  if . >= 15 then "critical" elif . >= 12 then "high" elif . >= 7 then "medium"
  elif . >= 4 then "low" else "informational" end;

# "SHA1=...,MD5=...,SHA256=..." of Sysmon.
def hashes:
  if type != "string" then {} else
    reduce (split(",")[] | split("=")) as [$name, $value] ({};
      if $name == "SHA256" then .sha256 = $value elif $name == "SHA1" then .sha1 = $value
      elif $name == "MD5" then .md5 = $value else . end)
  end;

# "DOMAIN\user"
def account:
  text | if . == null then null
  else split("\\") | if length == 2 then {domain: .[0], name: .[1]} else {name: .[-1]} end end;

# A file whose integrity changed, and, where auditing says so, who changed it.
def syscheck:
  {file: {path, sha256: .sha256_after, sha1: .sha1_after, md5: .md5_after}}
  + (.audit // {}
     | {user: {name: (.user.name // .login_user.name | text), uid: (.user.id | text)}}
       + if .process.id then {process: {pid: (.process.id | number), path: .process.name,
           parent: {pid: (.process.ppid | number)}}} else {} end);

# An event of Windows: Sysmon's names first, then those of the security log.
def windows:
  .eventdata // {}
  | {user: (.user // .subjectUserName // .targetUserName | account),
     source: (.ipAddress // .sourceIp | text),
     destination: {ip: (.destinationIp | text), hostname: (.destinationHostname | text),
       port: (.destinationPort | text)}}
    + if .image or .newProcessName then
        {process: ({pid: (.processId // .newProcessId | number), path: (.image // .newProcessName),
           cmd_line: .commandLine,
           parent: {pid: (.parentProcessId | number), path: (.parentImage // .parentProcessName),
             cmd_line: .parentCommandLine}} + (.hashes | hashes))}
      elif .targetFilename then {file: {path: .targetFilename}}
      else {} end
    + if .targetObject then
        {evidences: [{name: "registry", registry: {path: .targetObject}}]} else {} end;

# A package that has a known vulnerability; that it is solved is told of the same one later.
def vulnerability($agent):
  {cves: [.cve], type: "Vulnerability", status: (if .status == "Solved" then "resolved" else "new" end),
   description: (.rationale // .title), src_url: (.reference // "" | split(", ")[0] | text),
   subject: "\($agent) \(.cve) \(.package.name) \(.package.architecture)",
   evidences: [{name: "package", data: .package}]};

# What most decoders call these.
def decoded:
  {user: (.dstuser // .srcuser | text), source: {ip: (.srcip | text), port: (.srcport | text)},
   destination: {ip: (.dstip | text), port: (.dstport | text)}, url: (.url | text),
   file: (.file | text)};

if (.rule | type) != "object" then "not an alert: it has no rule"
elif .rule.level < 3 then "not a detection: level \(.rule.level), \(.rule.description)"
else
  {product: {vendor_name: "Wazuh", name: "Wazuh"},
     title: .rule.description,
     time: (.timestamp | time),
     severity: (.rule.level | severity),
     types: (.rule.groups // [] | reverse), # the last is the narrowest
     description: .full_log,
     feature: .decoder.name,
     log_name: .location,
     analytic: {uid: .rule.id, name: .rule.description, type: "rule", category: .decoder.name},
     techniques: .rule.mitre.id,
     host: {uid: .agent.id, hostname: .agent.name, ip: (.agent.ip | text)}}
    + (.data // {} | decoded)
    + (if .syscheck then .syscheck | syscheck else {} end)
    + (if .data.win then .data.win | windows else {} end)
    + (.agent.id as $agent | .data.vulnerability // null
       | if . then vulnerability($agent) else {} end)
    + (if .data.title and .decoder.name == "rootcheck" then {title: .data.title} else {} end)
end
