"""What boto3, AWS's own client, does with and sees of an S3 server: s3_client.py COMMAND ARGUMENT...

The endpoint, region, CA and keys are boto3's own: AWS_ENDPOINT_URL, AWS_DEFAULT_REGION, AWS_CA_BUNDLE, AWS_ACCESS_KEY_ID and so on.

setup BUCKET        makes the bucket, two users and a role; prints "name id secret" of the users, then moto asks for signatures
unsigned COUNT      moto takes so many requests without a signature, then none; AssumeRoleWithWebIdentity has none, and moto does not know that
sha256 BUCKET KEY   of the object's bytes
cat BUCKET KEY      the object's bytes
keys BUCKET         one a line
metadata BUCKET KEY as JSON, with the ETag
parts BUCKET KEY    numbers of the parts of unfinished uploads, in a line
uploads BUCKET      keys of unfinished uploads
abort BUCKET        all of them
put BUCKET KEY FILE as `aws s3 cp` does
"""

import hashlib
import json
import os
import ssl
import sys
import urllib.request

import boto3

PUBLISHER = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
READER = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def setup(bucket):
    iam = boto3.client("iam")
    region = os.environ["AWS_DEFAULT_REGION"]
    boto3.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    for name, statement in (("publisher", PUBLISHER), ("reader", READER)):
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="s3", PolicyDocument=policy(statement))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        print(name, key["AccessKeyId"], key["SecretAccessKey"])
    trust = policy({"Effect": "Allow", "Principal": {"Federated": "*"}, "Action": "sts:AssumeRoleWithWebIdentity"})
    iam.create_role(RoleName="nightly", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="nightly", PolicyName="s3", PolicyDocument=policy(PUBLISHER))
    unsigned("0")


def unsigned(count):
    url = os.environ["AWS_ENDPOINT_URL"] + "/moto-api/reset-auth"
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
    urllib.request.urlopen(urllib.request.Request(url, count.encode(), {"Content-Type": "text/plain"}), context=context)


def sha256(bucket, key):
    digest = hashlib.sha256()
    for chunk in boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
        digest.update(chunk)
    print(digest.hexdigest())


def cat(bucket, key):
    sys.stdout.buffer.write(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def keys(bucket):
    for page in boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            print(entry["Key"])


def metadata(bucket, key):
    head = boto3.client("s3").head_object(Bucket=bucket, Key=key)
    print(json.dumps({"etag": head["ETag"], "type": head["ContentType"], "length": head["ContentLength"]} | head["Metadata"]))


def unfinished(bucket):
    return boto3.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])


def parts(bucket, key):
    client = boto3.client("s3")
    numbers = []
    for upload in unfinished(bucket):
        if upload["Key"] == key:
            listed = client.list_parts(Bucket=bucket, Key=key, UploadId=upload["UploadId"])
            numbers += [part["PartNumber"] for part in listed.get("Parts", [])]
    print(*numbers)


def uploads(bucket):
    for upload in unfinished(bucket):
        print(upload["Key"])


def abort(bucket):
    for upload in unfinished(bucket):
        boto3.client("s3").abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def put(bucket, key, path):
    boto3.client("s3").upload_file(path, bucket, key)


globals()[sys.argv[1]](*sys.argv[2:])
