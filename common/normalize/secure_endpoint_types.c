/*
 * The event types of Cisco Secure Endpoint, by id: their names changed over the years. Ids and
 * names: GET /v1/event_types, op7ic/amphunt README.md, recorded events. The severities are
 * ours, for records without one; those of types that are no detection count when an operator
 * asks for the type by name, so that a critical fault is worth a ticket and a finished update
 * is not.
 */
#include "normalize/secure_endpoint_types.h"

#include <stddef.h>

/* Short names, so that a row is a line. */
#define NO_DETECTION   SECURE_ENDPOINT_NO_DETECTION
#define DETECTED       SECURE_ENDPOINT_DETECTED
#define BLOCKED	       SECURE_ENDPOINT_BLOCKED
#define QUARANTINED    SECURE_ENDPOINT_QUARANTINED
#define UNCORRECTED    SECURE_ENDPOINT_UNCORRECTED
#define LET_PASS       SECURE_ENDPOINT_LET_PASS
#define RESTORED       SECURE_ENDPOINT_RESTORED
#define DELETED	       SECURE_ENDPOINT_DELETED
#define METHOD_UNKNOWN SECURE_ENDPOINT_METHOD_UNKNOWN
#define BY_HASH	       SECURE_ENDPOINT_BY_HASH
#define BY_BEHAVIOR    SECURE_ENDPOINT_BY_BEHAVIOR

/* Sorted by id. */
static const struct secure_endpoint_type types[] = {
	{ 553648130, "Policy Update", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648135, "Product Update Started", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648136, "Product Update Completed", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648137, "Product Update Failed", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 553648143, "Threat Quarantined", QUARANTINED, 3, BY_HASH },
	{ 553648145, "Threat Detected in Exclusion", LET_PASS, 3, BY_HASH },
	{ 553648146, "Cloud Recall Restore of False Positive", RESTORED, 1, BY_HASH },
	{ 553648147, "Cloud Recall Detection", DETECTED, 3, BY_HASH },
	{ 553648149, "Quarantined Item Restored", RESTORED, 1, BY_HASH },
	{ 553648150, "Quarantine Restore Started", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648152, "Quarantined Item Deleted", DELETED, 1, BY_HASH },
	{ 553648154, "Cloud Recall Restore from Quarantine", RESTORED, 1, BY_HASH },
	{ 553648155, "Cloud Recall Quarantine Successful", QUARANTINED, 3, BY_HASH },
	{ 553648158, "Install Started", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648166, "Uninstall", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648168, "Execution Blocked", BLOCKED, 3, BY_HASH },
	{ 553648170, "Reboot Pending", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648171, "Reboot Completed", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648173, "File Fetch Completed", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648176, "Endpoint IOC Configuration Update Success", NO_DETECTION, 1,
	  METHOD_UNKNOWN },
	{ 553648179, "Endpoint IOC Definition Update Success", NO_DETECTION, 1,
	  METHOD_UNKNOWN },
	{ 553648195, "Minor Fault Raised", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 553648196, "Fault Cleared", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648199, "Malicious Activity Block", BLOCKED, 3, METHOD_UNKNOWN },
	{ 553648202, "Endpoint Isolation Start Success", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648204, "Endpoint Isolation Stop Success", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648206, "Endpoint Isolation Update Success", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648208, "Orbital Install Success", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648210, "Orbital Update Success", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 553648215, "Endpoint Isolation Unlock Limit Reached", NO_DETECTION, 3,
	  METHOD_UNKNOWN },
	{ 554696714, "Scan Started", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 554696715, "Scan Completed, No Detections", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 554696756, "Endpoint IOC Scan Started", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 554696757, "Endpoint IOC Scan Completed, No Detections", NO_DETECTION, 1,
	  METHOD_UNKNOWN },
	{ 570425394, "Quarantine Restore Requested", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 570425396, "Application Registered", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 570425397, "Application Deregistered", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 570425398, "Application Authorized", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 570425399, "Application Deauthorized", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 1090519054, "Threat Detected", DETECTED, 3, BY_HASH },
	{ 1090519081, "Rootkit Detection", DETECTED, 4, METHOD_UNKNOWN },
	{ 1090519084, "DFC Threat Detected", DETECTED, 4, METHOD_UNKNOWN },
	{ 1090519089, "Endpoint IOC Scan Detection Summary", DETECTED, 2, METHOD_UNKNOWN },
	{ 1090519096, "Update: Reboot Required", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 1090519097, "Update: Reboot Advised", NO_DETECTION, 1, METHOD_UNKNOWN },
	{ 1090519102, "iOS Network Detection", DETECTED, 3, METHOD_UNKNOWN },
	{ 1090519103, "Exploit Prevention", BLOCKED, 4, BY_BEHAVIOR },
	{ 1090519105, "Malicious Activity Detection", DETECTED, 4, METHOD_UNKNOWN },
	{ 1090519107, "Major Fault Raised", NO_DETECTION, 3, METHOD_UNKNOWN },
	{ 1090519112, "System Process Protection", BLOCKED, 3, METHOD_UNKNOWN },
	{ 1090524040, "APK Threat Detected", DETECTED, 3, BY_HASH },
	{ 1090524041, "APK Custom Threat Detected", DETECTED, 3, BY_HASH },
	{ 1091567628, "Scan Completed With Detections", DETECTED, 2, METHOD_UNKNOWN },
	{ 1091567670, "Endpoint IOC Scan Completed With Detections", DETECTED, 2,
	  METHOD_UNKNOWN },
	{ 1107296257, "Potential Dropper Infection", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296258, "Multiple Infected Files", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296260, "Java compromise", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296261, "Adobe Reader compromise", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296262, "Microsoft Word compromise", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296263, "Microsoft Excel compromise", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296264, "Microsoft PowerPoint compromise", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296265, "Java launched a shell", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296266, "Adobe Reader launched a shell", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296267, "Microsoft Word launched a shell", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296268, "Microsoft Excel launched a shell", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296269, "Microsoft PowerPoint launched a shell", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296270, "Apple QuickTime compromise", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296271, "Apple QuickTime launched a shell", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296272, "Executed malware", DETECTED, 5, BY_HASH },
	{ 1107296273, "Suspected botnet connection", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296274, "Cloud IOC", DETECTED, 4, BY_BEHAVIOR },
	{ 1107296275, "Microsoft Calculator compromise", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296276, "Microsoft Notepad compromise", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296277, "Connection to suspicious domain", DETECTED, 3, METHOD_UNKNOWN },
	{ 1107296278, "Threat Detected in Low Prevalence Executable", DETECTED, 3, BY_HASH },
	{ 1107296279, "Vulnerable Application Detected", DETECTED, 3, METHOD_UNKNOWN },
	{ 1107296280, "Suspicious Download", DETECTED, 3, METHOD_UNKNOWN },
	{ 1107296281, "Microsoft CHM Compromise", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296282, "Suspicious Cscript Launch", DETECTED, 3, METHOD_UNKNOWN },
	{ 1107296283, "Possible Webshell", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296284, "Potential Ransomware", DETECTED, 5, METHOD_UNKNOWN },
	{ 1107296285, "Cognitive Incident", DETECTED, 4, METHOD_UNKNOWN },
	{ 1107296344, "SecureX Threat Hunting Incident", DETECTED, 5, METHOD_UNKNOWN },
	{ 2164260866, "Policy Update Failure", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2164260880, "Quarantine Failure", UNCORRECTED, 4, BY_HASH },
	{ 2164260884, "Quarantine Restore Failed", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2164260892, "Cloud Recall Restore from Quarantine Failed", NO_DETECTION, 2,
	  METHOD_UNKNOWN },
	{ 2164260893, "Cloud Recall Quarantine Attempt Failed", UNCORRECTED, 4, BY_HASH },
	{ 2164260895, "Install Failure", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2164260903, "Uninstall Failure", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2164260910, "File Fetch Failed", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2164260911, "Endpoint IOC Configuration Update Failure", NO_DETECTION, 2,
	  METHOD_UNKNOWN },
	{ 2164260914, "Endpoint IOC Definition Update Failure", NO_DETECTION, 2,
	  METHOD_UNKNOWN },
	{ 2164260922, "Update: Unexpected Reboot Required", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2164260931, "Critical Fault Raised", NO_DETECTION, 4, METHOD_UNKNOWN },
	{ 2164260939, "Endpoint Isolation Start Failure", NO_DETECTION, 3, METHOD_UNKNOWN },
	{ 2164260941, "Endpoint Isolation Stop Failure", NO_DETECTION, 3, METHOD_UNKNOWN },
	{ 2164260943, "Endpoint Isolation Update Failure", NO_DETECTION, 3, METHOD_UNKNOWN },
	{ 2164260945, "Orbital Install Failure", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2164260947, "Orbital Update Failure", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2165309453, "Scan Failed", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2165309495, "Endpoint IOC Scan Failed", NO_DETECTION, 2, METHOD_UNKNOWN },
	{ 2181038130, "Quarantine Request Failed to be Delivered", NO_DETECTION, 3,
	  METHOD_UNKNOWN },
};

const struct secure_endpoint_type *secure_endpoint_type(int64_t id)
{
	size_t low = 0, high = sizeof types / sizeof types[0];

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (types[middle].id == id)
			return &types[middle];
		if (types[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
